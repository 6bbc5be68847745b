"""The server of a listener: makes its connections, and ends them."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from time import monotonic
from typing import Protocol

from proxy.process import own_pages
from proxy.rules.model import RequestHead
from proxy.tasks import in_turns
from proxy.upstream.streams import Content, Downstream

from .limits import DEFAULT_LIMITS, ConcurrencyLimit, Limits, connection_limit
from .protocol import EdgeProtocol, UnderWay


class ExchangeHandler(Protocol):
    """Answers one request, and says so by ``Downstream.answered`` or ``failed``."""

    def __call__(
        self, head: RequestHead, content: Content, downstream: Downstream, /
    ) -> UnderWay: ...


class EdgeServer:
    """Makes an ``EdgeProtocol`` of every connection; a protocol factory for listeners.

    Attributes:
        connections: Those that are open.
        guests: How many of them there may be, on all ports together.
        exchange: Takes every request.
        plain_redirects: As in ``Arrival``.
    """

    def __init__(
        self,
        exchange: ExchangeHandler,
        *,
        plain_redirects: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        guests: ConcurrencyLimit | None = None,
    ) -> None:
        self.exchange = exchange
        self.plain_redirects = plain_redirects
        self.limits = limits
        self.guests = guests if guests is not None else connection_limit(limits)
        self.connections: set[EdgeProtocol] = set()
        self._empty: asyncio.Event | None = None

    def __call__(self) -> EdgeProtocol:
        return self.connection()

    def connection(self, client: str = "", *, vouched: bool = True) -> EdgeProtocol:
        """A new connection, of a client that was announced or of the other end."""
        loop = asyncio.get_running_loop()
        # The event loop makes the connection's TLS buffer next, in this turn.
        own_pages(True)
        loop.call_soon(own_pages, False)
        return EdgeProtocol(self, loop, client, vouched)

    async def shed(self) -> None:
        """Close what takes too long or leads nowhere; call it twice a second."""
        async for connection in in_turns(self.connections):
            connection.shed(monotonic())

    def left(self, connection: EdgeProtocol) -> None:
        """A connection is gone."""
        self.connections.discard(connection)
        if self._empty is not None and not self.connections:
            self._empty.set()

    def end_soon(self) -> None:
        """Take no more requests: idle connections end now, the others with their answer."""
        for connection in list(self.connections):
            connection.end_soon()

    async def shutdown(self, timeout: float) -> None:
        """End every connection; one that has an answer on its way is cut.

        Args:
            timeout: Seconds for those that only have to say what they were given.
        """
        self._empty = asyncio.Event()
        for connection in list(self.connections):
            connection.end()
        if self.connections:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._empty.wait()
        for connection in list(self.connections):
            connection.abort()
