"""The login token: made once, then the same after every restart.

It is kept so that a container adopted by a restarted labgate and the labgate that adopts
it agree, and so that nobody has to log in again.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from proxy.errors import StartError

FILE_NAME = "token"

_TOKEN = re.compile(r"[!-~]+")


def login_token(folder: Path) -> str:
    """Read ``<folder>/token``, made with mode 0600 when there is none.

    Raises:
        StartError: It can be neither read nor written, or is damaged.
    """
    path = folder / FILE_NAME
    try:
        if not path.exists():
            _make(path)
        token = path.read_text("ascii").strip()
    except OSError as error:
        raise StartError(
            f"The login token cannot be kept in {path}: {error.strerror}. "
            "Make the folder writable, or name another with state.folder."
        ) from None
    except UnicodeDecodeError:
        token = ""
    # An empty token would be worse than a wrong one: Jupyter then asks for no login at all.
    if not _TOKEN.fullmatch(token):
        raise StartError(f"{path} holds no usable login token. Remove it; a new one is made.")
    return token


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(24) + "\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, not a rename: of two labgates that start together the first one's token stays.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
