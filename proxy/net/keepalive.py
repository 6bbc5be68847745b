"""TCP keep-alive: detects a peer that vanished (a closed laptop, a network's timeout).

Tested by tests/net/test_ports.py and tests/test_platforms.py.
"""

from __future__ import annotations

import socket
from contextlib import suppress

IDLE_SECONDS = 60
INTERVAL_SECONDS = 15
UNANSWERED_PROBES = 4
"""After two minutes of silence the kernel ends the connection. Nothing else does, because
an open WebSocket or a slow download may be silent for as long as it likes."""


def options(system: object) -> list[tuple[int, int]]:
    """Number and value of every option that the system has.

    Args:
        system: The module ``socket``, whose names differ from system to system.
    """
    return [
        (getattr(system, name), value)
        for name, value in (
            ("TCP_KEEPIDLE", IDLE_SECONDS),
            ("TCP_KEEPALIVE", IDLE_SECONDS),  # macOS' name for it
            ("TCP_KEEPINTVL", INTERVAL_SECONDS),
            ("TCP_KEEPCNT", UNANSWERED_PROBES),
        )
        if hasattr(system, name)
    ]


_OPTIONS = options(socket)


def keep_alive(channel: socket.socket | None) -> None:
    """Have the kernel probe a silent peer (RFC 9293 section 3.8.4); nothing on a Unix socket."""
    if channel is None or channel.family == socket.AF_UNIX:
        return
    with suppress(OSError):
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in _OPTIONS:
            channel.setsockopt(socket.IPPROTO_TCP, option, value)
