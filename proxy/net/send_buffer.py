"""Limits the unsent bytes that the kernel buffers.

Tested by tests/http2/test_server.py.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

_OPTION: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)


def limit_unsent(transport: asyncio.BaseTransport, max_bytes: int) -> None:
    """Let the kernel buffer at most ``max_bytes`` that it has not sent yet.

    By default it buffers megabytes, which more urgent data could not overtake. Does nothing where
    the kernel has no such option.
    """
    channel = transport.get_extra_info("socket")
    if _OPTION is not None and channel is not None:
        with suppress(OSError):
            channel.setsockopt(socket.IPPROTO_TCP, _OPTION, max_bytes)
