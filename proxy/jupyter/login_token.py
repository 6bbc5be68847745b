"""The login token, generated once and stored.

It is stored so that a restarted labgate knows the token of the container that it adopts, and so
that nobody has to log in again.
"""

from __future__ import annotations

import re
from pathlib import Path

from proxy.errors import StartError
from proxy.runtime.secret_files import read_or_create_secret

TOKEN_FILE_NAME = "token"  # noqa: S105  no password
TOKEN_BYTES = 24

_TOKEN = re.compile(r"[!-~]+")


def login_token(folder: Path) -> str:
    """Read ``<folder>/token``; create it with mode 0600 if it is missing.

    Raises:
        StartError: It can be neither read nor written, or is malformed.
    """
    path = folder / TOKEN_FILE_NAME
    try:
        token = read_or_create_secret(path, TOKEN_BYTES)
    except OSError as error:
        raise StartError(
            f"The login token cannot be kept in {path}: {error.strerror}. "
            "Make the folder writable, or name another with state.folder."
        ) from None
    except UnicodeDecodeError:
        token = ""
    # With an empty token Jupyter would require no login at all.
    if not _TOKEN.fullmatch(token):
        raise StartError(f"{path} holds no usable login token. Remove it; a new one is made.")
    return token
