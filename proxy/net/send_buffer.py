"""What the kernel takes before it can send it.

Tested by tests/http2/test_server.py.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

_OPTION: int | None = getattr(socket, "TCP_NOTSENT_LOWAT", None)


def limit_unsent(transport: asyncio.BaseTransport, max_bytes: int) -> None:
    """Let the kernel take no more than so many bytes that it has not sent yet.

    It would take megabytes, and something more urgent could not overtake them any more. Does
    nothing where the kernel cannot do that.
    """
    channel = transport.get_extra_info("socket")
    if _OPTION is not None and channel is not None:
        with suppress(OSError):
            channel.setsockopt(socket.IPPROTO_TCP, _OPTION, max_bytes)
