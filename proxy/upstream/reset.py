"""Ending a connection so that the other side sees a break and not an end."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

_LINGER_ZERO = struct.pack("ii", 1, 0)


def reset(transport: asyncio.WriteTransport) -> None:
    """Close at once with an RST (RFC 9293 section 3.6.2), dropping what is queued.

    A FIN would tell a client that reads until the end that it has everything.
    """
    channel = transport.get_extra_info("socket")
    if channel is not None and channel.family != socket.AF_UNIX:
        # A socket that is closed already has nothing left to reset.
        with suppress(OSError):
            channel.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
    transport.abort()
