"""aiohttp's server connection, as an exchange's reader and writer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, cast

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod, HttpProcessingError

from proxy.errors import ClientFault
from proxy.inspector.redaction import printable
from proxy.rules.networks import plain_address
from proxy.upstream.keepalive import keep_alive
from proxy.upstream.reset import reset
from proxy.upstream.streams import TunnelEnd

from .answered import GOODBYE, Farewell
from .answers import plain
from .framing import Reads
from .intake import Intake

if TYPE_CHECKING:
    from .server import EdgeServer

log = logging.getLogger("labgate")

LINGER_SECONDS = 2.0
WRITE_BUFFER_BYTES = 128 * 1024
"""For a client that reads slowly. Over TLS asyncio's own is four times that, and thousands of
slow downloads are ordinary."""
UNREAD_SECONDS = 600.0
"""A client that reads nothing at all for this long is not slow but gone."""


class EdgeProtocol(Intake):
    """One client's connection (``streams.Downstream``).

    Attributes:
        client: The client's address: the one announced, or the connection's other end.
        vouched: As in ``Arrival``.
        said: Whether anything was written since the request began.
    """

    __slots__ = (
        "_congestion",
        "_discarding",
        "_guest",
        "_server",
        "_tunnel_congestion",
        "_tunnelled",
        "_unread",
        "_unread_since",
        "client",
        "said",
        "vouched",
    )

    def __init__(
        self,
        server: EdgeServer,
        loop: asyncio.AbstractEventLoop,
        client: str = "",
        vouched: bool = True,
    ) -> None:
        super().__init__(server, loop, server.limits)
        self.client = client
        self.vouched = vouched
        self.said = False
        self._unread = 0
        self._unread_since: float | None = None
        self._server = server
        self._guest = ""
        self._discarding: asyncio.Future[None] | None = None
        self._congestion: Callable[[], None] | None = None
        self._tunnel_congestion: Callable[[bool], None] | None = None
        self._tunnelled: TunnelEnd | None = None

    # streams.Downstream

    def write(self, data: bytes) -> None:
        self.said = True
        # Into a connection that is ending, uvloop would log each write.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    @property
    def congested(self) -> bool:
        return self.writing_paused

    async def drained(self) -> None:
        """Wait until the client has read enough."""
        await self._drain_helper()

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self._congestion = callback

    def tunnel(self, end: TunnelEnd, congestion: Callable[[bool], None]) -> None:
        self._tunnelled = end
        self._tunnel_congestion = congestion
        if self.writing_paused:
            congestion(True)
        # aiohttp hands over what came behind the handshake, and everything after it.
        self.set_parser(end)  # type: ignore[arg-type]  # calls feed_data and feed_eof only
        if kept := self._framer.switched():
            self.resume_reading()
            self.data_received(kept)
        if self._half_closed:
            end.feed_eof()

    def write_eof(self) -> bool:
        if self.transport is None or not self.transport.can_write_eof():
            return False
        self.transport.write_eof()
        return True

    def finish(self) -> None:
        self.force_close()

    async def linger(self) -> None:
        self._discarding = self._loop.create_future()
        self._framer.stop()
        self._resume_transport_reading()
        self.write_eof()
        if not self._half_closed:
            with suppress(TimeoutError):
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._discarding
        self.force_close()

    def abort(self) -> None:
        if self.transport is not None:
            reset(self.transport)

    def lost_cause(self, now: float) -> bool:
        """Whether nothing will come of this connection any more, by itself.

        Its client reads nothing at all while its kernel keeps the connection alive, or
        aiohttp's task has ended without closing it.
        """
        transport = self.transport
        if transport is None:
            return False
        closing = transport.is_closing()
        if self._task_handler is not None and self._task_handler.done() and not closing:
            return True
        unread = transport.get_write_buffer_size() if closing or self.writing_paused else 0
        if not unread or unread != self._unread or self._unread_since is None:
            self._unread, self._unread_since = unread, now
        return unread > 0 and now - self._unread_since > UNREAD_SECONDS

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not self.client:
            peer = transport.get_extra_info("peername")
            self.client = plain_address(str(peer[0])) if isinstance(peer, tuple) else "local"
        if not self._server.guests.enter(self.client):
            log.warning("too many connections: %s is turned away", self.client)
            reset(cast(asyncio.Transport, transport))
            return
        self._guest = self.client
        self._head_since = monotonic()
        super().connection_made(transport)
        cast(asyncio.Transport, transport).set_write_buffer_limits(high=WRITE_BUFFER_BYTES)
        keep_alive(transport.get_extra_info("socket"))

    def pause_writing(self) -> None:
        super().pause_writing()
        if self._tunnel_congestion is not None:
            self._tunnel_congestion(True)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._tunnel_congestion is not None:
            self._tunnel_congestion(False)
        elif self._congestion is not None:
            self._congestion()

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._guest:
            self._server.guests.leave(self._guest)
            self._guest = ""
        if self._tunnelled is not None:
            self._tunnelled.client_lost(exc if isinstance(exc, Exception) else None)
        super().connection_lost(exc)

    def eof_received(self) -> bool | None:  # type: ignore[override]  # aiohttp declares None
        # A client that half-closes still gets its answer (RFC 9112 section 9.6); over
        # TLS the transport closes whatever is returned here.
        if self._discarding is not None:
            if not self._discarding.done():
                self._discarding.set_result(None)
            return None
        if self._tunnelled is not None:
            self._tunnelled.feed_eof()
        elif self._framer.reads is Reads.HEAD:
            return None
        elif self._content is not None:
            self._content.break_off(ConnectionResetError("the client ended in the middle"))
        self._half_closed = True
        return self.transport is not None and self.transport.can_write_eof()

    # aiohttp

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer what never became an exchange: malformed bytes, or a fault of ours."""
        if status >= 500 and not isinstance(exc, ClientFault):
            log.error("fault while answering %s", self.client, exc_info=exc)
            sentence = "labgate failed to answer this request; its log has the reason."
            if self._content is not None and self.said:
                # Behind what was written it would be taken for the next request's answer.
                self.abort()
                return GOODBYE
        elif isinstance(exc, ClientFault):
            status, sentence = exc.status, str(exc)
        elif isinstance(exc, BadHttpMethod):
            # The framer let it through, so it is a token (RFC 9112 section 3).
            status, sentence = 501, "labgate does not know this method."
        else:
            sentence = "This is not a well-formed HTTP/1.1 request."
        if status < 500 or isinstance(exc, ClientFault):
            log.info("%s from %s: %s", status, self.client, _reason(exc))
        self._head_since = None
        self.write(plain(status, sentence, persistent=False))
        return Farewell(self)


def _reason(exc: BaseException | None) -> str:
    text = exc.message if isinstance(exc, HttpProcessingError) else str(exc or "")
    return printable(text.strip().partition("\n")[0].encode("utf-8", "replace"))
