"""A Unix socket that only labgate's user and root can use."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

from proxy.errors import StartError
from proxy.runtime.peer import peer_of
from proxy.runtime.secret_files import make_private_folder

SOCKET_PROBE_SECONDS = 1.0


def bind_private(path: Path) -> socket.socket:
    """Bind a listening socket with mode 0600; one that a dead process left behind is replaced.

    Raises:
        StartError: Another process listens there, or the folder is not private or not writable.
    """
    try:
        make_private_folder(path.parent)
        _check_private(path.parent)
        if path.is_socket():
            if _answers(path):
                raise StartError(f"Another labgate listens at {path}.")
            path.unlink()
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        before = os.umask(0o177)
        try:
            listening.bind(str(path))
        except OSError:
            listening.close()
            raise
        finally:
            os.umask(before)
        listening.listen()
        listening.setblocking(False)
    except OSError as error:
        raise StartError(f"{path}: {error.strerror or error}.") from None
    return listening


def remove_private(listening: socket.socket) -> None:
    """Close a socket of ``bind_private`` and remove its path."""
    path = Path(listening.getsockname())
    listening.close()
    path.unlink(missing_ok=True)


def peer_uid(connection: socket.socket) -> int | None:
    """The user at the other end; None where the system does not say.

    There the socket's mode alone keeps others out.
    """
    peer = peer_of(connection)
    return None if peer is None else peer.uid


def peer_pid(connection: socket.socket) -> int | None:
    """The process at the other end, as ``peer_uid``."""
    peer = peer_of(connection)
    return None if peer is None else peer.pid


def _check_private(folder: Path) -> None:
    """Refuse a folder in which somebody else could replace the socket.

    Raises:
        StartError: It is another user's, or others may write to it.
    """
    status = folder.stat()
    if status.st_uid not in (os.getuid(), 0) or stat.S_IMODE(status.st_mode) & 0o022:
        raise StartError(
            f"{folder} can be written by others, so no admin socket is made there: "
            f"chmod go-w {folder}"
        )


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(SOCKET_PROBE_SECONDS)
        try:
            probe.connect(str(path))
        except OSError as error:
            return error.errno not in (errno.ECONNREFUSED, errno.ENOENT)
        return True
