"""The server of a listener: makes its connections, and turns requests into exchanges.

This is the only place that knows aiohttp's request object; an exchange sees a
``RequestHead``, a ``Content`` to read and a ``Downstream`` to write to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from time import monotonic
from typing import Protocol, cast

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.rules.model import Arrival, RequestHead

from .answered import GOODBYE, STAY
from .answers import plain
from .content import ArrivedContent
from .limits import DEFAULT_LIMITS, Guests, Limits
from .protocol import EdgeProtocol


class ExchangeHandler(Protocol):
    """Answers one request; returns whether the connection can carry another."""

    def __call__(
        self, head: RequestHead, content: ArrivedContent, downstream: EdgeProtocol, /
    ) -> Awaitable[bool]: ...


class EdgeServer(web.Server):
    """aiohttp's low-level server; every connection becomes an ``EdgeProtocol``."""

    def __init__(
        self,
        exchange: ExchangeHandler,
        *,
        plain_redirects: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        guests: Guests | None = None,
    ) -> None:
        self._exchange = exchange
        self._plain_redirects = plain_redirects
        self.limits = limits
        self.guests = guests if guests is not None else Guests(limits)
        super().__init__(self._handle, handler_cancellation=True)

    def __call__(self) -> RequestHandler:
        return self.connection()

    def connection(self, client: str = "", *, vouched: bool = True) -> EdgeProtocol:
        """A new connection, of a client that was announced or of the other end."""
        return EdgeProtocol(self, asyncio.get_running_loop(), client, vouched)

    def shed(self) -> None:
        """Close what takes too long or leads nowhere; call it once a second."""
        now = monotonic()
        for connection in self.connections:
            if not isinstance(connection, EdgeProtocol):
                continue
            if connection.overdue(now):
                connection.write(plain(408, "The request took too long.", persistent=False))
                connection.force_close()
            elif connection.lost_cause(now):
                connection.abort()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        downstream = cast(EdgeProtocol, request.protocol)
        content = ArrivedContent(request.content, self.limits)
        downstream.begin(content)
        downstream.said = False
        if downstream.congested:
            # A client that pipelines without reading must not fill our memory with answers.
            await downstream.drained()
        head = RequestHead(
            method=request.method.encode("ascii", "replace"),
            target=downstream.target,
            version=(request.version.major, request.version.minor),
            fields=request.raw_headers,
            arrival=Arrival(
                downstream.client, request.keep_alive, self._plain_redirects, downstream.vouched
            ),
        )
        persistent = await self._exchange(head, content, downstream)
        return STAY if downstream.end(persistent=persistent) else GOODBYE
