"""Files that only labgate's user can read (0600, folders 0700), written atomically."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path


def write_atomically(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Replace a file; readers see the old content or the new, never a part of it.

    Missing folders are created with mode 0700. After a failure the old content remains.

    Raises:
        OSError: It cannot be written.
    """
    temporary = write_beside(path, content, mode)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise


def write_beside(path: Path, content: bytes, mode: int = 0o600) -> Path:
    """Write a new file in the folder of ``path``, and wait until it is on the disk.

    Raises:
        OSError: It cannot be written; there is no new file then.
    """
    make_private_folder(path.parent)
    # A random name: two processes may write the same file at the same time.
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        # Do not leave an incomplete file on a full disk.
        temporary.unlink()
        raise
    return temporary


def read_or_create_secret(path: Path, octets: int) -> str:
    """Read the secret in ``path``; if it is missing, write random octets there, in hexadecimal.

    If several processes start together, all of them get the secret of the first.

    Raises:
        OSError: It can be neither read nor written.
        UnicodeDecodeError: It is not ASCII.
    """
    if not path.exists():
        temporary = write_beside(path, f"{secrets.token_hex(octets)}\n".encode("ascii"), 0o600)
        try:
            # A rename would replace the file of another process; a link fails instead.
            with suppress(FileExistsError):
                os.link(temporary, path)
        finally:
            temporary.unlink()
    return path.read_text("ascii").strip()


def make_private_folder(folder: Path) -> None:
    """Create a folder and its missing parents with mode 0700; existing ones are not changed.

    Raises:
        OSError: One cannot be created.
    """
    for path in (*reversed(folder.parents), folder):
        if not path.exists():
            path.mkdir(mode=0o700, exist_ok=True)
