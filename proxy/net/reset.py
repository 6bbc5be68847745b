"""Resets of connections, and what had arrived before one.

Tested by tests/wire/test_tunnels.py and tests/net/test_pending_connection.py.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import suppress

MAX_UNREAD_BYTES = 8 * 1024 * 1024
_LINGER_ZERO = struct.pack("ii", 1, 0)


def reset(transport: asyncio.WriteTransport) -> None:
    """Close at once with an RST (RFC 9293 section 3.6.2), dropping what is queued.

    After a FIN, a client that reads until the end would take the response for complete.
    """
    channel = transport.get_extra_info("socket")
    if channel is not None and channel.family != socket.AF_UNIX:
        # A socket that is closed already has nothing left to reset; uvloop's has no number.
        with suppress(OSError, ValueError):
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def reset_socket(channel: socket.socket) -> None:
    """Close a TCP socket that has no transport yet with an RST."""
    with suppress(OSError):
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    channel.close()


def unread(transport: asyncio.Transport) -> bytes:
    """Read what the kernel still holds of a connection that is being closed.

    On Linux a reset does not discard it: it can be read until the descriptor is closed. With TLS
    it is ciphertext, which nobody can read any more: then nothing is returned.
    """
    if transport.get_extra_info("ssl_object") is not None:
        return b""
    channel = transport.get_extra_info("socket")
    data = b""
    with suppress(OSError, ValueError), socket.socket(fileno=os.dup(channel.fileno())) as copy:
        copy.setblocking(False)
        while len(data) < MAX_UNREAD_BYTES and (piece := copy.recv(65536)):
            data += piece
    return data
