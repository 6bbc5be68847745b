"""Where the Unix sockets of a state folder are; commands and labgate itself compute the same."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

MAX_PATH_BYTES = 100
"""unix(7) has room for 108, macOS for 104, a zero included."""

_SHORT = Path("/tmp")  # noqa: S108  every process sees the same one, whatever its TMPDIR


def socket_path(state_folder: Path, name: str = "admin.sock") -> Path:
    """The socket in a folder of its own in the state folder; a short path where that is too long.

    A container's state folder may be writable by a whole group, but the socket's folder is
    labgate's alone. The name of the short path's folder and that of the socket say whose it is, so
    that root finds it as well.

    Args:
        state_folder: Of the labgate that listens.
        name: Of the socket; by default the admin socket.
    """
    path = state_folder.absolute() / "admin" / name
    if len(os.fsencode(path)) <= MAX_PATH_BYTES:
        return path
    owner = state_folder.stat().st_uid if state_folder.exists() else os.getuid()
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return _SHORT / f"labgate-{owner}" / f"{digest}.sock"
