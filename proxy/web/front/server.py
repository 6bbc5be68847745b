"""aiohttp's server behind labgate's listener: ``listen.server = "aiohttp"``.

aiohttp parses the requests, keeps the connections and calls the handler. What comes before the
first octet of HTTP, the PROXY protocol and TLS, stays with ``proxy.net``, and so do the limits of
connections.
"""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import Any, cast

from aiohttp import web

from proxy.http1.open_connections import OpenConnections
from proxy.http1.server import Http1Server
from proxy.http1.timeouts import LINGER_SECONDS
from proxy.messages import Dispatch
from proxy.net.limits import DEFAULT_LIMITS, ConcurrencyLimit, Limits, Slot
from proxy.rules.decision import Refuse
from proxy.runtime.tasks import yielding_to_others
from proxy.web.front.handler import ProxyHandler
from proxy.web.front.head_reader import ReadHead
from proxy.web.front.served_request import SentResponse, ServedRequest
from proxy.web.front.server_connection import AiohttpConnection

READ_BUFFER_BYTES = 64 * 1024
"""Of content that waits; aiohttp stops reading at twice that."""


def server_options(limits: Limits = DEFAULT_LIMITS) -> dict[str, Any]:
    """How aiohttp's server must be started, so that requests arrive as they were sent.

    For ``web.run_app``, ``web.AppRunner`` and ``web.Server`` alike.
    """
    return {
        "auto_decompress": False,
        # Twice what is allowed, so that labgate says what is too long; aiohttp says 400.
        "max_line_size": 2 * limits.request_line,
        "max_field_size": 2 * limits.head,
        "max_headers": 2 * limits.fields,
        "read_bufsize": READ_BUFFER_BYTES,
        "lingering_time": LINGER_SECONDS,
        "keepalive_timeout": limits.keep_alive_seconds,
    }


class AiohttpServer:
    """Makes an ``AiohttpConnection`` of every connection (``net.pending_connection.FrontServer``).

    Attributes:
        limits: Of connections and requests.
        connection_limit: How many there may be on all ports, with those that are pending.
        plain_redirects: As in ``rules.head.Arrival``.
        draining: Whether each connection ends after its next response.
        ending: Whether each ends after its current response, whatever the head of that has said.
        refused_heads: Counts the requests that are refused before there is a head.
        aiohttp: aiohttp's part of the server.
        options: aiohttp's, for each connection.
        connections: Those that are open.
        upgraded: Owns the connections after an upgrade.

    Args:
        dispatch: Takes every request.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        plain_redirects: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        connection_limit: ConcurrencyLimit | None = None,
    ) -> None:
        self.limits = limits
        self.plain_redirects = plain_redirects
        self.draining = self.ending = False
        self.aiohttp = web.Server(_serve)
        self.connections: OpenConnections[AiohttpConnection] = OpenConnections()
        self.upgraded = Http1Server(dispatch, limits=limits, connection_limit=connection_limit)
        self.connection_limit = self.upgraded.connection_limit
        self._handler = ProxyHandler(dispatch, limits)
        self.refused_heads = self.upgraded.refused_heads = self._handler.refused_heads
        self.options: dict[str, Any] = {}
        self.change_limits(limits)

    def __call__(self) -> AiohttpConnection:
        return AiohttpConnection(self)

    def connection(self, client: str, slot: Slot, client_known: bool) -> AiohttpConnection:
        """A new connection that a listener accepted; the arguments are ``Http1Server``'s."""
        return AiohttpConnection(self, client, slot, client_known)

    def dispatch_to(self, dispatch: Dispatch) -> None:
        """Give it every request that comes from now on."""
        self.upgraded.dispatch_to(dispatch)
        self._handler.dispatch_to(dispatch)

    def change_limits(self, limits: Limits) -> None:
        """Use these limits from now on."""
        self.limits = limits
        self.options = server_options(limits) | {"access_log": None}
        self.upgraded.change_limits(limits)
        self._handler.change_limits(limits)

    def misdirected_connection(
        self, client: str, slot: Slot, client_known: bool
    ) -> asyncio.Protocol:
        """The same of a client that speaks plain HTTP to a port for HTTPS."""
        return self.upgraded.misdirected_connection(client, slot, client_known)

    def log_rejection(self, client: str) -> None:
        """Log that there is no slot left for ``client``; a crowd gets one line now and then."""
        self.upgraded.log_rejection(client)

    def begin(
        self, served: ServedRequest, request: web.BaseRequest, read: ReadHead | Refuse
    ) -> None:
        """Have the proxying respond to a request."""
        self._handler.begin(served, request, read)

    async def enforce_timeouts(self) -> None:
        """End the connections that have timed out or lost their client; call it twice a second."""
        await self.upgraded.enforce_timeouts()
        async for connection in yielding_to_others(self.connections):
            connection.enforce_timeouts(monotonic())

    def on_connection_lost(self, connection: AiohttpConnection) -> None:
        """Forget a connection."""
        self.connections.lost(connection)

    def drain(self, *, keep_idle: bool = False) -> None:
        """Take no more requests; the argument is ``Http1Server``'s."""
        self.draining = True
        self.ending = self.ending or not keep_idle
        self.upgraded.drain(keep_idle=keep_idle)
        for connection in list(self.connections):
            connection.drain(keep_idle=keep_idle)

    async def shutdown(self, timeout: float) -> None:
        """End every connection; a response that is not complete is truncated.

        Args:
            timeout: Seconds for connections that still have to send what is queued.
        """
        await self.connections.end(timeout)
        await self.aiohttp.shutdown(0)
        await self.upgraded.shutdown(timeout)


async def _serve(request: web.BaseRequest) -> SentResponse:
    return await cast(AiohttpConnection, request.protocol).serve(request)
