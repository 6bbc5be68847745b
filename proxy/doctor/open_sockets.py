"""The sockets of aiohttp's connections, so that none outlives its session.

aiohttp forgets a connection over TLS as soon as it begins to close it: the WebSocket of a kernel,
or one whose server said ``Connection: close``. asyncio then keeps its socket open until the other
side has answered the end of TLS, for up to 30 s, and that may be longer than the event loop lives.

Tested by tests/doctor/test_open_sockets.py.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

from aiohttp import AddrInfoType

MAX_TURNS = 20
"""How many turns of the event loop it may take until a connection is closed whose other side has
gone: to notice that, to end TLS, to close the transport and its socket."""


class OpenSockets:
    """Makes sockets, and knows which of them are open."""

    def __init__(self) -> None:
        self._made: list[socket.socket] = []

    def make(self, address: AddrInfoType) -> socket.socket:
        """One for an address, as ``socket_factory`` of aiohttp's connector."""
        family, kind, protocol, _, _ = address
        made = socket.socket(family, kind, protocol)
        self._made = [*self.left, made]
        return made

    @property
    def left(self) -> list[socket.socket]:
        """Those that are not closed."""
        return [one for one in self._made if one.fileno() >= 0]

    async def close(self) -> None:
        """End the connections that are being closed without waiting for their other side."""
        for _ in range(MAX_TURNS):
            for one in self.left:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)
            # A transport is closed in the event loop's next turn, which may be its last.
            await asyncio.sleep(0)
            if not self.left:
                break
