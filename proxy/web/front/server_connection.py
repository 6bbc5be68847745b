"""A client's connection to aiohttp's server, with what labgate knows of it.

Tested by tests/web/front/test_server.py.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Protocol, cast

from aiohttp import web

from proxy.http1.accepted_connection import WRITE_BUFFER_BYTES
from proxy.http1.open_connections import OpenConnections
from proxy.http1.refused_heads import RefusedHeads
from proxy.http1.server import Http1Server
from proxy.http1.timeouts import UNREAD_SECONDS, Awaiting, ConnectionTimeouts
from proxy.net.limits import ConcurrencyLimit, Limits, Slot
from proxy.net.reset import reset
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival
from proxy.rules.networks import plain_address
from proxy.short_response import plain
from proxy.web.front.client_tunnel import ClientTunnel
from proxy.web.front.head_reader import HeadReader, ReadHead
from proxy.web.front.served_request import SentResponse, ServedRequest

log = logging.getLogger("labgate")


class RequestServer(Protocol):
    """The part of the server that its connections use.

    Attributes:
        limits: Of connections and requests.
        plain_redirects: As in ``rules.head.Arrival``.
        draining: Whether each connection ends after its next response.
        ending: Whether each ends after its current response, whatever the head of that has said.
        aiohttp: aiohttp's part of the server.
        options: aiohttp's, for each connection.
        connections: Those that are open.
        upgraded: Owns the connections after an upgrade.
        refused_heads: Counts the requests that are refused before there is a head.
    """

    limits: Limits
    plain_redirects: bool
    draining: bool
    ending: bool
    aiohttp: web.Server
    options: dict[str, Any]
    connections: OpenConnections[AiohttpConnection]
    upgraded: Http1Server
    connection_limit: ConcurrencyLimit
    refused_heads: RefusedHeads

    def log_rejection(self, client: str, /) -> None:
        """Log that there is no slot left for ``client``."""

    def begin(
        self, served: ServedRequest, request: web.BaseRequest, read: ReadHead | Refuse
    ) -> None:
        """Have the proxying respond to a request."""

    def on_connection_lost(self, connection: AiohttpConnection, /) -> None:
        """Forget a connection."""


class AiohttpConnection(web.RequestHandler):
    """aiohttp's protocol, which knows its client and its limits.

    Args:
        server: The server.
        client: The client's address; without a slot it is that of the other end.
        slot: Counts the connection; acquired by the connection where none is given.
        client_known: False if the PROXY sender withheld the client's address.
    """

    __slots__ = (
        "_arrival",
        "_client",
        "_client_known",
        "_half_closed",
        "_reader",
        "_server",
        "_serving",
        "_silent",
        "_slot",
        "_timeouts",
        "_unread_bytes",
        "_unread_since",
    )

    def __init__(
        self,
        server: RequestServer,
        client: str = "",
        slot: Slot | None = None,
        client_known: bool = True,
    ) -> None:
        super().__init__(server.aiohttp, loop=asyncio.get_running_loop(), **server.options)
        self._server = server
        self._client = client
        self._slot = slot
        self._client_known = client_known
        self._arrival = Arrival(client)
        self._reader = HeadReader(server.limits)
        self._serving: ServedRequest | None = None
        self._half_closed = False
        self._silent = True
        self._timeouts = ConnectionTimeouts()
        self._unread_bytes = 0
        self._unread_since = 0.0

    async def serve(self, request: web.BaseRequest) -> SentResponse:
        """Respond to the next request."""
        self._timeouts.awaiting = Awaiting.NOTHING
        served = ServedRequest(self, self._client, self._new_tunnel)
        # The client is told with the response that its connection ends.
        served.responder.draining = self._server.draining
        self._serving = served
        self._server.begin(served, request, self._reader.read(request, self._arrival))
        served.look_for_faults()
        if self._half_closed:
            self._fail_content(served)
        await served.over()
        self._serving = None
        self._timeouts.begin(Awaiting.REQUEST)
        if self._server.ending or (self._half_closed and not self._messages):
            served.persistent = False
        return served.sent_response

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        if self._slot is None:
            peer = transport.get_extra_info("peername")
            self._client = plain_address(str(peer[0])) if isinstance(peer, tuple) else "local"
            self._slot = self._server.connection_limit.acquire(self._client)
            if self._slot is None:
                self._server.log_rejection(self._client)
                reset(transport)
                return
        self._arrival = Arrival(
            self._client,
            plain_redirects=self._server.plain_redirects,
            client_known=self._client_known,
        )
        self._timeouts.begin(Awaiting.HEAD)
        self._server.connections.add(self)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        self._silent = False
        if self._timeouts.awaiting is Awaiting.REQUEST and data:
            self._timeouts.begin(Awaiting.HEAD)
        super().data_received(data)
        if self._serving is not None:
            self._serving.look_for_faults()

    def eof_received(self) -> bool | None:  # type: ignore[override]
        # A client that half-closes still gets its response (RFC 9112 section 9.6). aiohttp's own
        # method returns None, which closes the connection.
        self._half_closed = True
        if self._idle or self.transport is None:
            return None
        if self._serving is not None:
            self._fail_content(self._serving)
        return self.transport.can_write_eof()

    def _fail_content(self, served: ServedRequest) -> None:
        """No more of the request comes; does nothing if all of it is here."""
        if served.receiver is not None:
            served.receiver.body.fail(ConnectionResetError("the client ended in the middle"))

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
        if self._slot is not None:
            # Otherwise the connection has become a tunnel.
            self._slot.release()
            self._slot = None
            self._server.on_connection_lost(self)

    # aiohttp

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> SentResponse:
        """Refuse what aiohttp's parser does not take, without quoting it to the client."""
        sentence = "This is not a well-formed HTTP/1.1 request."
        if status >= 500:
            log.error("fault while answering %s", self._client, exc_info=exc)
            sentence = "This server failed to answer the request; its log has the reason."
        else:
            refusal = Refuse(status, type(exc).__name__, sentence, close=True)
            self._server.refused_heads.add(self._client, refusal)
        return self._refuse(status, sentence)

    # For the server

    def drain(self, *, keep_idle: bool = False) -> None:
        """Close as soon as nothing is in progress.

        Args:
            keep_idle: An idle client may send one request more.
        """
        if self._serving is not None:
            self._serving.responder.draining = True
        elif self._idle and not keep_idle:
            self.force_close()

    def end(self) -> None:
        """Close now; the client sees if something in progress is truncated."""
        if self._serving is not None and self.transport is not None:
            reset(self.transport)
        else:
            self.force_close()

    def enforce_timeouts(self, now: float) -> None:
        """End the connection if it has timed out or its client is gone; called twice a second.

        Args:
            now: ``time.monotonic()``.
        """
        if self.transport is None:
            return
        if self._timeouts.expired(now, self._server.limits):
            # Browsers open connections in advance: a 408 would answer the next request.
            if self._timeouts.awaiting is Awaiting.HEAD and not self._silent:
                self._refuse(408, "The request took too long.")
            self.force_close()
        elif self._is_unresponsive(now, self.transport.get_write_buffer_size()):
            reset(self.transport)
        if self._serving is not None:
            self._serving.enforce_timeouts(now)

    def _is_unresponsive(self, now: float, unread_bytes: int) -> bool:
        """Whether the client reads nothing at all, while its kernel keeps the connection."""
        if unread_bytes != self._unread_bytes or not unread_bytes:
            self._unread_bytes, self._unread_since = unread_bytes, now
        return now - self._unread_since > UNREAD_SECONDS

    def _refuse(self, status: int, sentence: str) -> SentResponse:
        served = ServedRequest(self, self._client, self._new_tunnel)
        served.refuse(plain(status, sentence, close=True))
        return served.sent_response

    @property
    def _idle(self) -> bool:
        """Whether the next request is awaited."""
        return self._waiter is not None and not self._waiter.done()

    def _new_tunnel(self) -> ClientTunnel:
        # Take the slot first: aiohttp's connection_lost would release it.
        slot, self._slot, self._serving = self._slot, None, None
        self._server.connections.discard(self)
        return ClientTunnel(
            self._server.upgraded, self, self._client, slot, half_closed=self._half_closed
        )
