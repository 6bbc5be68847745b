"""aiohttp's server connection, as an exchange's reader and writer."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, cast

from aiohttp import web
from aiohttp.http_exceptions import BadHttpMethod
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from proxy.errors import ClientFault
from proxy.rules.model import Refuse
from proxy.rules.networks import plain_address
from proxy.upstream.keepalive import keep_alive
from proxy.upstream.reset import reset
from proxy.upstream.streams import TunnelEnd

from .answered import GOODBYE
from .answers import plain
from .content import ArrivedContent, Chunks
from .framing import Framer, Reads

if TYPE_CHECKING:
    from .server import EdgeServer

log = logging.getLogger("labgate")

LINGER_SECONDS = 2.0
MOST_KEPT = 64 * 1024
"""Octets that may wait behind a WebSocket handshake for its answer."""


class EdgeProtocol(RequestHandler):
    """One client's connection (``streams.Downstream``).

    Attributes:
        client: The client's address: the one announced, or the connection's other end.
        vouched: As in ``Arrival``.
    """

    __slots__ = (
        "_answered",
        "_chunks",
        "_congestion",
        "_content",
        "_discarding",
        "_framer",
        "_guest",
        "_half_closed",
        "_head_since",
        "_server",
        "_tunnel_congestion",
        "_tunnelled",
        "client",
        "vouched",
    )

    def __init__(
        self,
        server: EdgeServer,
        loop: asyncio.AbstractEventLoop,
        client: str = "",
        vouched: bool = True,
    ) -> None:
        limits = server.limits
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None switches it off
            auto_decompress=False,
            keepalive_timeout=limits.keep_alive_seconds,
            tcp_keepalive=False,
            # The framer holds heads to the limits; these are for trailers.
            max_line_size=limits.request_line,
            max_field_size=limits.head,
            max_headers=limits.fields,
        )
        self.client = client
        self.vouched = vouched
        self._server = server
        self._guest = ""
        self._framer = Framer(limits)
        self._head_since: float | None = None
        self._content: ArrivedContent | None = None
        self._chunks: Chunks | None = None
        self._half_closed = False
        self._answered = 0
        self._discarding: asyncio.Future[None] | None = None
        self._congestion: Callable[[], None] | None = None
        self._tunnel_congestion: Callable[[bool], None] | None = None
        self._tunnelled: TunnelEnd | None = None

    # streams.Downstream

    def write(self, data: bytes) -> None:
        if self.transport is not None:
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
        if kept := self._framer.take():
            super().data_received(kept)
            self.resume_reading()

    def write_eof(self) -> bool:
        if self.transport is None or not self.transport.can_write_eof():
            return False
        self.transport.write_eof()
        return True

    def finish(self) -> None:
        self.force_close()

    async def linger(self) -> None:
        self._discarding = self._loop.create_future()
        self.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                await self._discarding
        self.force_close()

    def abort(self) -> None:
        if self.transport is not None:
            reset(self.transport)

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
        keep_alive(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        if self._discarding is not None:
            return
        if self._tunnelled is not None or not data:
            super().data_received(data)
            return
        if self._head_since is None and not self._request_in_progress:
            self._head_since = monotonic()
        for piece in self._framer.cut(data):
            if isinstance(piece, Refuse):
                self._refuse(piece)
            elif self._framer.reads is Reads.CHUNKS:
                self._receive_chunks(piece)
            else:
                super().data_received(piece)
        if self._framer.reads is Reads.LATER and len(self._framer.kept) > MOST_KEPT:
            self.pause_reading()

    def _receive_chunks(self, piece: bytes) -> None:
        """The head of chunked content, and then its chunks.

        What is wrong with them is noticed here: aiohttp keeps the error for the next
        request and lets this one's reader wait.
        """
        chunks = self._chunks
        ended = chunks is not None and chunks.reader.is_eof()
        super().data_received(piece)
        if chunks is None:
            self._chunks = Chunks(self._messages[-1][1]) if self._messages else None
        elif not ended:
            malformed = bool(self._messages) and isinstance(self._messages[-1][0], _ErrInfo)
            chunks.came(len(piece), malformed=malformed)
            if chunks.fault is not None and self._content is not None:
                self._content.judge(chunks)

    def _refuse(self, refusal: Refuse) -> None:
        """Have it answered in its turn, as aiohttp does with what its own parser refuses."""
        fault = ClientFault(refusal.status, refusal.sentence)
        message = _ErrInfo(status=refusal.status, exc=fault, message=refusal.rule)
        self._messages.append((message, EMPTY_PAYLOAD))
        self._request_count += 1
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def overdue(self, now: float) -> bool:
        """Whether a request head has been on its way for too long (slow-header attacks)."""
        since = self._head_since
        return since is not None and now - since > self._server.limits.head_seconds

    def begin(self, content: ArrivedContent) -> None:
        """A request head is complete: what follows has limits of its own."""
        self._head_since = None
        self._content = content
        if self._chunks is not None:
            content.judge(self._chunks)
        if self._half_closed:
            content.break_off(ConnectionResetError("the client ended in the middle"))

    def end(self, *, persistent: bool) -> bool:
        """An exchange is over; whether another can follow."""
        self._content = None
        self._answered += 1
        framer = self._framer
        if framer.reads is Reads.LATER:
            if persistent and self._answered == self._request_count:
                self._loop.call_soon(self._not_switched)
        elif framer.kept:
            # The next head has begun already, and its time begins now.
            self._head_since = monotonic()
        return persistent and (not self._half_closed or bool(self._messages))

    def _not_switched(self) -> None:
        """The answer to an upgrade was an ordinary one: what came behind are requests."""
        self.resume_reading()
        self.data_received(self._framer.not_switched())

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
        elif self._request_count == self._answered:
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
        if status == 500:
            log.error("fault while answering %s", self.client, exc_info=exc)
            sentence = "labgate failed to answer this request; its log has the reason."
        elif isinstance(exc, ClientFault):
            status, sentence = exc.status, str(exc)
        elif isinstance(exc, BadHttpMethod):
            # The framer let it through, so it is a token (RFC 9112 section 3).
            status, sentence = 501, "labgate does not know this method."
        else:
            sentence = "This is not a well-formed HTTP/1.1 request."
        if status != 500:
            log.info("%s from %s: %s", status, self.client, _first_line(exc))
        self.write(plain(status, sentence, persistent=False))
        return GOODBYE


def _first_line(exc: BaseException | None) -> str:
    return str(exc).strip().splitlines()[0][:200] if exc is not None and str(exc).strip() else ""
