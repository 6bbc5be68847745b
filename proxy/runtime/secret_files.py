"""Files that are kept for the next start: a secret that is made once, and what is written whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def kept_secret(path: Path, octets: int) -> str:
    """The text of ``path``; random octets in hexadecimal, with mode 0600, when it was not there.

    Of several that start together, the first one's secret stays.

    Raises:
        OSError: It can be neither read nor written.
        UnicodeDecodeError: It is not ASCII.
    """
    if not path.exists():
        _make(path, secrets.token_hex(octets))
    return path.read_text("ascii").strip()


def _make(path: Path, secret: str) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secret + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: that would replace what somebody else has just made.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write so that a reader sees the old file or the new one, never a part of either."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
