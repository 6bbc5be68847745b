"""aiohttp's server connection, as an exchange's reader and writer.

This is the only place that knows aiohttp's request object; an exchange sees a
``RequestHead``, a ``Content`` to read and a ``Downstream`` to write to.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from itertools import chain
from time import monotonic
from typing import Protocol, cast

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.web_protocol import RequestHandler, _ErrInfo

from proxy.errors import ClientFault
from proxy.rules.model import Arrival, RequestHead
from proxy.upstream.reset import reset
from proxy.upstream.streams import TunnelEnd

from .answers import plain
from .limits import DEFAULT_LIMITS, Guests, Limits

log = logging.getLogger("labgate")


TOO_MANY_FIELDS = "Too many headers received"
"""aiohttp raises a plain BadHttpMessage for this; its text is all that tells (a test holds it)."""


LINGER_SECONDS = 2.0


class Answered(web.StreamResponse):
    """Tells aiohttp that the answer is on the wire already, and whether to go on."""

    def __init__(self, *, persistent: bool) -> None:
        super().__init__()
        self._persistent = persistent

    @property
    def keep_alive(self) -> bool:
        return self._persistent

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        return None

    async def write_eof(self, data: bytes = b"") -> None:
        return None


STAY = Answered(persistent=True)
GOODBYE = Answered(persistent=False)


class ArrivedContent:
    """A request's content (``streams.Content``), which must keep a minimum pace."""

    def __init__(self, reader: StreamReader, limits: Limits) -> None:
        self._reader = reader
        self._limits = limits
        self._allowed = limits.content_grace_seconds

    def arrived(self) -> bytes | None:
        """Everything, when it came along with the head."""
        if self._reader.at_eof():
            return b""
        return self._reader.read_nowait() if self._reader.is_eof() else None

    async def read(self) -> bytes:
        """The next piece, b"" at the end."""
        waiting_since = monotonic()
        try:
            async with asyncio.timeout(self._allowed):
                piece = await self._reader.readany()
        except TimeoutError:
            raise ClientFault(408, "The request's content came too slowly.") from None
        except (HttpProcessingError, web.RequestPayloadError) as error:
            raise ConnectionError(str(error)) from error
        # Only the time labgate waited for the client counts, never a slow Jupyter's.
        self._allowed -= monotonic() - waiting_since
        self._allowed += len(piece) / self._limits.content_pace
        return piece

    def break_off(self, error: Exception) -> None:
        """There will be no more content; nothing happens when it is complete already."""
        if not self._reader.is_eof():
            self._reader.set_exception(error)


class ExchangeHandler(Protocol):
    """Answers one request; returns whether the connection can carry another."""

    def __call__(
        self, head: RequestHead, content: ArrivedContent, downstream: EdgeProtocol, /
    ) -> Awaitable[bool]: ...


class EdgeProtocol(RequestHandler):
    """One client's connection (``streams.Downstream``)."""

    __slots__ = (
        "_answered",
        "_congestion",
        "_content",
        "_discarding",
        "_guest",
        "_half_closed",
        "_head_since",
        "_server",
        "_tunnel_congestion",
        "_tunnelled",
    )

    def __init__(self, server: EdgeServer, loop: asyncio.AbstractEventLoop) -> None:
        limits = server.limits
        super().__init__(
            server,
            loop=loop,
            access_log=None,  # type: ignore[arg-type]  # None switches it off
            auto_decompress=False,
            keepalive_timeout=limits.keep_alive_seconds,
            max_line_size=limits.request_line,
            max_field_size=limits.head,
            max_headers=limits.fields,
        )
        self._server = server
        self._guest = ""
        self._head_since: float | None = None
        self._content: ArrivedContent | None = None
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
        peer = transport.get_extra_info("peername")
        guest = str(peer[0]) if isinstance(peer, tuple) else "local"
        if not self._server.guests.enter(guest):
            log.warning("too many connections: %s is turned away", guest)
            reset(cast(asyncio.Transport, transport))
            return
        self._guest = guest
        self._head_since = monotonic()
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self._discarding is not None:
            return
        if self._head_since is None and not self._request_in_progress:
            self._head_since = monotonic()
        super().data_received(data)
        if self._content is not None and self._messages:
            message = self._messages[-1][0]
            if isinstance(message, _ErrInfo):
                # aiohttp keeps the error for later and lets the content's reader wait.
                fault = ClientFault(400, "The request's content is not well-formed.")
                self._content.break_off(fault)

    def overdue(self, now: float) -> bool:
        """Whether a request head has been on its way for too long (slow-header attacks)."""
        since = self._head_since
        return since is not None and now - since > self._server.limits.head_seconds

    def begin(self, content: ArrivedContent) -> None:
        """A request head is complete: what follows has limits of its own."""
        self._head_since = None
        self._content = content
        if self._half_closed:
            content.break_off(ConnectionResetError("the client ended in the middle"))

    def end(self, *, persistent: bool) -> bool:
        """An exchange is over; whether another can follow."""
        self._content = None
        self._answered += 1
        return persistent and (not self._half_closed or bool(self._messages))

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
            log.error("fault while answering %s", request.remote, exc_info=exc)
            sentence = "labgate failed to answer this request; its log has the reason."
        elif isinstance(exc, LineTooLong) and exc.args[1] == self._server.limits.request_line:
            status, sentence = 414, "The request target is too long."
        elif isinstance(exc, LineTooLong) or message == TOO_MANY_FIELDS:
            status, sentence = 431, "The request's header fields are too long or too many."
        else:
            sentence = "This is not a well-formed HTTP/1.1 request."
            log.info("%s from %s: %s", status, request.remote, _first_line(exc))
        self.write(plain(status, sentence, persistent=False))
        return GOODBYE


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
        self.guests = guests or Guests(limits)
        super().__init__(self._handle, handler_cancellation=True)

    def __call__(self) -> RequestHandler:
        return EdgeProtocol(self, asyncio.get_running_loop())

    def shed(self) -> None:
        """Close the connections whose request head takes too long; call it once a second."""
        now = monotonic()
        for connection in self.connections:
            if isinstance(connection, EdgeProtocol) and connection.overdue(now):
                connection.write(plain(408, "The request took too long.", persistent=False))
                connection.force_close()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        downstream = cast(EdgeProtocol, request.protocol)
        content = ArrivedContent(request.content, self.limits)
        downstream.begin(content)
        if downstream.congested:
            # A client that pipelines without reading must not fill our memory with answers.
            await downstream.drained()
        if sum(map(len, chain.from_iterable(request.raw_headers))) > self.limits.head:
            sentence = "The request's header fields are too long or too many."
            downstream.write(plain(431, sentence, persistent=False))
            return GOODBYE
        head = RequestHead(
            method=request.method.encode("ascii", "replace"),
            target=request.raw_path.encode("utf-8", "surrogateescape"),
            version=(request.version.major, request.version.minor),
            fields=request.raw_headers,
            arrival=Arrival(request.remote or "", request.keep_alive, self._plain_redirects),
        )
        persistent = await self._exchange(head, content, downstream)
        return STAY if downstream.end(persistent=persistent) else GOODBYE


def _first_line(exc: BaseException | None) -> str:
    return str(exc).strip().splitlines()[0][:200] if exc is not None and str(exc).strip() else ""
