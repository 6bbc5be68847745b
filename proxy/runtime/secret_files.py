"""Files that only labgate's user reads: mode 0600, in folders of mode 0700, written whole."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file; a reader sees the old content or the new, never a part of either.

    Folders that are missing are made for labgate's user alone. After a failure the old
    content is still there.

    Raises:
        OSError: It cannot be written.
    """
    temporary = _write_beside(path, content, mode)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise


def read_or_create_secret(path: Path, octets: int) -> str:
    """Read the secret in ``path``; without one, write random octets there, in hexadecimal.

    Of several processes that start together, all get the secret of the first.

    Raises:
        OSError: It can be neither read nor written.
        UnicodeDecodeError: It is not ASCII.
    """
    if not path.exists():
        temporary = _write_beside(path, f"{secrets.token_hex(octets)}\n".encode("ascii"), 0o600)
        try:
            # A rename would replace what another process has just written; a link does not.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text("ascii").strip()


def make_private_folder(folder: Path) -> None:
    """Make a folder and its missing parents with mode 0700; those that exist stay as they are.

    Raises:
        OSError: One cannot be made.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)


def _write_beside(path: Path, content: bytes, mode: int) -> Path:
    """Write a new file in the folder of ``path``, on the disk when this returns."""
    make_private_folder(path.parent)
    # A name of its own: two processes may write the same file at the same time.
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        # A full disk should not be kept full by half a file.
        temporary.unlink()
        raise
    return temporary
