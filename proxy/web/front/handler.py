"""The whole proxy as an aiohttp handler: a front of its own beside ``http1`` and ``http2``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from time import monotonic

from aiohttp import web

from proxy.http1.server import Http1Server
from proxy.messages import Dispatch
from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival
from proxy.rules.networks import plain_address
from proxy.runtime.tasks import yielding_to_others
from proxy.short_response import plain
from proxy.web.front.client_tunnel import ClientTunnel
from proxy.web.front.content_receiver import ContentReceiver
from proxy.web.front.head_reader import HeadReader, ReadHead
from proxy.web.front.served_request import SentResponse, ServedRequest

DECOMPRESSED = Refuse(
    415,
    "content-encoding",
    "Send the content without a Content-Encoding.",
    fields=((b"Accept-Encoding", b"identity"),),
    hint="the server that labgate is mounted in decompresses content: start it with "
    "**proxy.mount.server_options()",
)
"""RFC 9110 section 15.5.16. Decompressed content is neither what its fields say nor as long."""


class ProxyHandler:
    """Handles every request of an ``aiohttp.web`` application by ``handle``.

    Attributes:
        refused_heads: Counts the requests that are refused before the proxying gets them.

    Args:
        dispatch: Takes every request.
        limits: Of heads and content.
    """

    def __init__(self, dispatch: Dispatch, limits: Limits = DEFAULT_LIMITS) -> None:
        self._dispatch = dispatch
        self._limits = limits
        self._requests: set[ServedRequest] = set()
        # Owns the tunnels, which are no longer connections of aiohttp's.
        self._tunnels = Http1Server(dispatch, limits=limits)
        self.refused_heads = self._tunnels.refused_heads

    def dispatch_to(self, dispatch: Dispatch) -> None:
        """Give it every request that comes from now on."""
        self._dispatch = dispatch
        self._tunnels.dispatch_to(dispatch)

    def change_limits(self, limits: Limits) -> None:
        """Use these limits from now on."""
        self._limits = limits
        self._tunnels.change_limits(limits)

    async def handle(self, request: web.BaseRequest) -> SentResponse:
        """Respond; the client is the one that ``request.remote`` names."""
        client = plain_address(request.remote) if request.remote else "local"
        connection = request.protocol
        new_tunnel = partial(ClientTunnel, self._tunnels, connection, client)
        served = ServedRequest(connection, client, new_tunnel)
        self._requests.add(served)
        try:
            self.begin(served, request, HeadReader(self._limits).read(request, Arrival(client)))
            await served.over()
        finally:
            self._requests.discard(served)
        return served.sent_response

    def add_to(self, app: web.Application) -> None:
        """Handle every request that matches no route of ``app`` so far."""
        app.router.add_route("*", "/{path:.*}", self.handle, expect_handler=_expect)
        app.middlewares.append(self._take_what_has_no_route)

    @web.middleware
    async def _take_what_has_no_route(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Handle what no route can match: a target that does not begin with a slash.

        That is ``OPTIONS *`` and absolute-form without a path, which are well-formed, and CONNECT.
        Behind the 404 of aiohttp's router, which keeps the connection, the content of a CONNECT
        would be read as the next request (RFC 9110 section 9.3.6).
        """
        if request.match_info.http_exception is not None:
            return await self.handle(request)
        return await handler(request)

    def begin(
        self, served: ServedRequest, request: web.BaseRequest, read: ReadHead | Refuse
    ) -> None:
        """Dispatch the request, or refuse it if it is malformed."""
        if not isinstance(read, Refuse) and read.head.section.framing.has_content:
            # Without the content: the host's server may have changed it.
            if request.content.total_compressed_bytes is not None:
                read = DECOMPRESSED
            else:
                served.receiver = ContentReceiver(request.content, read, self._limits)
        if isinstance(read, Refuse):
            self.refused_heads.add(served.client, read)
            served.refuse(plain(read.status, read.sentence, read.fields, close=True))
        else:
            served.begin(self._dispatch, read)

    async def enforce_timeouts(self) -> None:
        """End requests that take too long or have lost their client; call it twice a second.

        aiohttp does not tell a handler that its client has gone.
        """
        async for served in yielding_to_others(self._requests):
            served.enforce_timeouts(monotonic())
        await self._tunnels.enforce_timeouts()


async def _expect(_request: web.Request) -> None:
    """Send nothing: aiohttp's handler would send 100 Continue before Jupyter does."""
