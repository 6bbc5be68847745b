"""Who is at the other end of a Unix socket.

Tested by tests/admin/test_unix_socket.py and tests/runtime/test_instance_lock.py.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple


class Peer(NamedTuple):
    """A process; of a listening socket the one that called listen(2)."""

    pid: int
    uid: int


def peer_of(connection: socket.socket) -> Peer | None:
    """The process at the other end (unix(7), SO_PEERCRED); None where the system does not say.

    Raises:
        OSError: The socket is not connected.
    """
    peer: Peer | None = None
    if sys.platform == "linux":
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
        pid, uid, _ = struct.unpack("3i", credentials)
        peer = Peer(pid, uid)
    return peer
