"""Peeks at a socket before a transport takes it over.

Until then a client that sends nothing, or only a part, costs no more than a descriptor.
Tested by tests/net/test_pending_connection.py and tests/net/test_proxy_protocol.py.
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable

from proxy.net.reset import reset_socket

POLLRDHUP: int = getattr(select, "POLLRDHUP", 0)


class PeekedSocket:
    """Waits for bytes and looks at them, but leaves them in the socket.

    Args:
        channel: Non-blocking; this object owns it from now on.
    """

    __slots__ = ("_callback", "_channel", "_loop", "_wake_bytes")

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._loop = asyncio.get_running_loop()
        self._callback: Callable[[], None] | None = None
        self._wake_bytes = 1

    def _peek(self, most: int, again: Callable[[], None]) -> bytes:
        """Look at what has arrived; b"" for nothing yet, and for the end, which resets it.

        Args:
            most: Bytes.
            again: Called whenever more has arrived.
        """
        arrived = b""
        try:
            arrived = self._channel.recv(most, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            self._wait(again)
            return b""
        except OSError:
            pass
        if not arrived:
            self._reset()
        return arrived

    def _wait(self, callback: Callable[[], None]) -> None:
        if self._callback != callback:
            self._callback = callback
            self._loop.add_reader(self._channel.fileno(), callback)

    def _stop_waiting(self) -> None:
        if self._callback is not None:
            self._callback = None
            self._loop.remove_reader(self._channel.fileno())
        if self._wake_bytes > 1:
            self._set_wake_bytes(1)

    def _set_wake_bytes(self, size: int) -> bool:
        """Make the socket readable only from ``size`` bytes on; False if the kernel cannot."""
        try:
            self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        except OSError:
            return False
        self._wake_bytes = size
        return True

    def _has_ended(self) -> bool:
        """Whether the client has sent its FIN; always False where poll(2) lacks POLLRDHUP."""
        if not POLLRDHUP:
            return False
        poll = select.poll()
        poll.register(self._channel, POLLRDHUP)
        return bool(poll.poll(0))

    def _reset(self) -> None:
        """Close it with an RST."""
        if self._channel.fileno() >= 0:
            self._stop_waiting()
            reset_socket(self._channel)
