"""Breaks: made so that the other side sees one, and what came before one."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from contextlib import suppress

MOST_UNREAD = 8 * 1024 * 1024
_LINGER_ZERO = struct.pack("ii", 1, 0)


def reset(transport: asyncio.WriteTransport) -> None:
    """Close at once with an RST (RFC 9293 section 3.6.2), dropping what is queued.

    A FIN would tell a client that reads until the end that it has everything.
    """
    channel = transport.get_extra_info("socket")
    if channel is not None and channel.family != socket.AF_UNIX:
        # A socket that is closed already has nothing left to reset; uvloop's has no number.
        with suppress(OSError, ValueError):
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()


def reset_socket(channel: socket.socket) -> None:
    """The same for a TCP socket that has no transport yet."""
    with suppress(OSError):
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    channel.close()


def unread(transport: asyncio.Transport) -> bytes:
    """What the kernel still holds of a connection that is being closed.

    A reset does not take it away on Linux: it can be read until the descriptor is closed.
    """
    channel = transport.get_extra_info("socket")
    came = b""
    with suppress(OSError, ValueError), socket.socket(fileno=os.dup(channel.fileno())) as copy:
        copy.setblocking(False)
        while len(came) < MOST_UNREAD and (piece := copy.recv(65536)):
            came += piece
    return came
