"""A client's connection: octets become requests, one at a time, and answers go back."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, cast

from proxy.http1.connection_states import ClientState, ServerState
from proxy.http1.request_body import NO_CONTENT, ChunkedBody, SizedBody
from proxy.http1.request_parser import RequestParser
from proxy.http1.response_writer import ResponseWriter
from proxy.http1.timeouts import Awaiting, ConnectionTimeouts
from proxy.messages import RawConnection, RequestInProgress, TunnelEnd, queue_response
from proxy.net.limits import Slot
from proxy.net.reset import reset
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.message import NOTHING_FOLLOWS, connection_facts
from proxy.rules.networks import plain_address
from proxy.short_response import plain

if TYPE_CHECKING:
    from proxy.http1.server import Http1Server

log = logging.getLogger("labgate")

MAX_BUFFERED_BYTES = 64 * 1024
"""Of what may wait behind a request for its response."""
WRITE_BUFFER_BYTES = 32 * 1024
"""For a client that reads slowly. Over TLS asyncio's default is sixteen times that, and thousands
of slow downloads are ordinary."""
MAX_WRITE_BYTES = 64 * 1024
"""For one write. A read from Jupyter may be of 250 KiB, and OpenSSL would keep a buffer of that
and a third more for as long as the connection lives."""
SLICED_BYTES = 8 * 1024 * 1024
"""After so many bytes accepted, stop slicing writes: the client reads, and whole writes cost a
tenth less."""


NO_REQUEST = (ServerState.IDLE, ServerState.LINGERING, ServerState.CLOSED)


class ServerConnection(asyncio.Protocol):
    """One client's connection (``response_writer.Connection``; after a 101 ``RawConnection``).

    Attributes:
        client: The client's address: the one announced, or the other end's.
        transport: None before and after the connection.
        congested: Whether the client reads more slowly than we write.
        writable: Called each time congestion ends.
    """

    __slots__ = (
        "_arrival",
        "_client_known",
        "_content",
        "_draining",
        "_facts_of",
        "_half_closed",
        "_in_progress",
        "_loop",
        "_next",
        "_parser",
        "_reading_paused",
        "_server",
        "_sliced_bytes_left",
        "_slot",
        "_state",
        "_timeouts",
        "_tunnelled",
        "_writer",
        "client",
        "congested",
        "transport",
        "writable",
    )

    def __init__(
        self,
        server: Http1Server,
        loop: asyncio.AbstractEventLoop,
        client: str = "",
        slot: Slot | None = None,
        client_known: bool = True,
    ) -> None:
        self._server = server
        self._loop = loop
        self._client_known = client_known
        self.client = client
        self.transport: asyncio.Transport | None = None
        self.congested = False
        self._parser = RequestParser(server.limits)
        self._writer = ResponseWriter(self)
        self._facts_of: object = None
        self._arrival = Arrival(client)
        self._slot = slot
        self._next: RequestHead | None = None
        self._content: SizedBody | None = None
        self._in_progress: RequestInProgress | None = None
        self._state = ServerState.IDLE
        self._draining = self._half_closed = self._reading_paused = False
        self._timeouts = ConnectionTimeouts()
        self._sliced_bytes_left = SLICED_BYTES
        self.writable: Callable[[], None] | None = None
        self._tunnelled: TunnelEnd | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        if self._slot is None:
            peer = transport.get_extra_info("peername")
            self.client = plain_address(str(peer[0])) if isinstance(peer, tuple) else "local"
            self._slot = self._server.connection_limit.acquire(self.client)
            if self._slot is None:
                self._server.log_rejection(self.client)
                reset(transport)
                return
        self.transport = transport
        self._arrival = Arrival(
            self.client,
            plain_redirects=self._server.plain_redirects,
            client_known=self._client_known,
        )
        self._timeouts.begin(Awaiting.HEAD)
        self._server.connections.add(self)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def data_received(self, data: bytes) -> None:
        if self._tunnelled is not None:
            self._tunnelled.feed_data(data)
            return
        parser = self._parser
        while data:
            state = parser.state
            piece, data = parser.cut(data)
            if piece is None:
                break
            if isinstance(piece, Refuse):
                self._refuse(piece.status, piece.sentence, piece.rule)
            elif state is ClientState.HEAD:
                self._receive_head()
            elif (content := self._content) is not None:
                content.feed(piece)
                if state is ClientState.BODY and parser.state is not state:
                    content.end()
        if self._next is not None:
            self._begin()
        if parser.kept:
            if parser.state is ClientState.HEAD:
                if self._timeouts.what is not Awaiting.HEAD:
                    self._timeouts.begin(Awaiting.HEAD)
            elif len(parser.kept) > MAX_BUFFERED_BYTES:
                self.pause_reading()

    def eof_received(self) -> bool | None:
        # A client that half-closes still gets its answer (RFC 9112 section 9.6); over
        # TLS the transport closes whatever is returned here.
        self._half_closed = True
        if self._tunnelled is not None:
            self._tunnelled.feed_eof()
        elif self._state in NO_REQUEST and self._parser.state is not ClientState.DONE:
            return None
        elif self._content is not None:
            self._content.break_off(ConnectionResetError("the client ended in the middle"))
        return self.transport is not None and self.transport.can_write_eof()

    def pause_writing(self) -> None:
        self.congested = True
        if self._tunnelled is not None:
            self._tunnelled.client_congested(True)

    def resume_writing(self) -> None:
        self.congested = False
        if self._tunnelled is not None:
            self._tunnelled.client_congested(False)
        elif self.writable is not None:
            self.writable()
        elif self._next is not None:
            # Not at once: asyncio's own transport must not be closed by what it calls here.
            self._loop.call_soon(self._begin)

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self._state = ServerState.CLOSED
        if self._slot is not None:
            self._slot.release()
            self._server.left(self)
            self._slot = None
        if self._content is not None:
            self._content.break_off(ConnectionResetError("the client went away"))
        self._next = self._content = None
        if self._tunnelled is not None:
            self._tunnelled.client_lost(exc)
        elif self._in_progress is not None:
            self._in_progress.cancel()
        self._in_progress = self.writable = None
        # Break the reference cycle.
        del self._writer

    # response_writer.Connection

    def write(self, data: bytes) -> None:
        transport = self.transport
        if transport is None or transport.is_closing():
            # Into a connection that is ending, uvloop would log each write.
            return
        if len(data) <= MAX_WRITE_BYTES or self._sliced_bytes_left <= 0:
            transport.write(data)
            return
        self._sliced_bytes_left -= len(data)
        octets = memoryview(data)
        for start in range(0, len(data), MAX_WRITE_BYTES):
            transport.write(octets[start : start + MAX_WRITE_BYTES])

    @property
    def body_outstanding(self) -> bool:
        return self._content is not None and self._content.expected

    def upgraded(self) -> RawConnection:
        return self

    def pause_reading(self) -> None:
        if not self._reading_paused and self.transport is not None:
            self._reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        if self._reading_paused and self.transport is not None:
            self._reading_paused = False
            self.transport.resume_reading()

    def start(self, end: TunnelEnd) -> None:
        self._tunnelled = end
        self._state = ServerState.SWITCHED
        if self.congested:
            end.client_congested(True)
        if kept := self._parser.switched():
            self.resume_reading()
            end.feed_data(kept)
        if self._half_closed:
            end.feed_eof()

    def end_response(self, data: bytes, *, persistent: bool) -> None:
        if data:
            self.write(data)
        content, self._content = self._content, None
        self._in_progress = None
        expected = content is not None and content.expected
        if content is not None:
            # What is left of it is read, because requests come behind it, or the client's end.
            content.drop()
        if self.transport is None or self.transport.is_closing():
            # Aborted: on uvloop a FIN could still overtake the reset.
            self._state = ServerState.CLOSED
            return
        parser = self._parser
        if not persistent or self._draining:
            if expected or parser.kept:
                self.linger()
            else:
                self._state = ServerState.CLOSED
                self.transport.close()
            return
        self._state = ServerState.IDLE
        self._timeouts.what, self._timeouts.since = Awaiting.REQUEST, monotonic()
        if expected:
            self._content = content
        if parser.kept:
            self._loop.call_soon(self._read_on)
        elif self._half_closed:
            self.transport.close()
        else:
            parser.answered()

    def write_eof(self) -> bool:
        if self.transport is None or not self.transport.can_write_eof():
            return False
        with suppress(OSError):
            # The client may be gone already.
            self.transport.write_eof()
        return True

    def finish(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def linger(self) -> None:
        self._parser.stop()
        self._state, self._in_progress = ServerState.LINGERING, None
        self._timeouts.begin(Awaiting.END)
        if self._half_closed:
            self.finish()
            return
        self.resume_reading()
        self.write_eof()

    def abort(self) -> None:
        if self.transport is not None:
            reset(self.transport)

    # For the server

    def end_soon(self) -> None:
        """Close, as soon as the request under way is answered."""
        self._draining = True
        if self._state in NO_REQUEST:
            self.finish()

    def end(self) -> None:
        """Close; an answer that is on its way is cut off, and the client sees that it is."""
        if self._state in (ServerState.RESPONDING, ServerState.SWITCHED):
            self.abort()
        else:
            self.finish()

    def shed(self, now: float) -> None:
        """End what takes too long or leads nowhere."""
        if self.transport is None:
            # It was lost while the sweep let others go on.
            return
        if self._timeouts.over(now, self._server.limits):
            if self._timeouts.what is Awaiting.HEAD:
                self._write_refusal(408, "The request took too long.")
            self.finish()
        if self._content is not None:
            self._content.check_pace(now, answered=self._writer.sent)
        if self.is_unresponsive(now):
            self.abort()

    def is_unresponsive(self, now: float) -> bool:
        """Whether its client reads nothing at all, while its kernel keeps the connection."""
        if self.transport is None:
            return False
        wanted = self.congested or self.transport.is_closing()
        return self._timeouts.reads_nothing(
            now, self.transport.get_write_buffer_size() if wanted else 0
        )

    # Requests

    def _receive_head(self) -> None:
        parser = self._parser
        method, target, version = parser.request_line
        section = parser.section
        self._timeouts.what = Awaiting.NOTHING
        self._state = ServerState.QUEUED
        self._next = head = RequestHead(
            method, target, version, section.fields, self._arrival, section
        )
        facts_of = (section, method, version, self._draining)
        if self._facts_of != facts_of:
            facts = connection_facts(head)
            self._facts_of = facts_of
            self._writer.facts = facts._replace(persistent=False) if self._draining else facts
        self._content = None
        limits, hesitant = self._server.limits, self._writer.facts.expects_continue
        if parser.state is ClientState.BODY:
            self._content = SizedBody(self, limits, section.framing.length, hesitant=hesitant)
        elif parser.state is ClientState.CHUNKED_BODY:
            self._content = ChunkedBody(self, limits, hesitant=hesitant)

    def _begin(self) -> None:
        """What has come of a request's content goes along with its head."""
        head = self._next
        if head is None or self.congested:
            # A client that pipelines without reading must not fill our memory with answers.
            return
        self._next = None
        self._state, self._writer.sent = ServerState.RESPONDING, False
        under_way = self._server.exchange(head, self._content or NO_CONTENT, self._writer)
        if self._state is ServerState.RESPONDING:
            self._in_progress = under_way

    def _read_on(self) -> None:
        """The answer was an ordinary one: what came behind the request are requests."""
        if self.transport is None or self.transport.is_closing():
            return
        kept = self._parser.take()
        self._parser.answered()
        # First, for what is kept or what is content may ask for a pause again.
        self.resume_reading()
        self.data_received(kept)
        if self._half_closed and self._parser.state is ClientState.HEAD:
            self.finish()

    def _refuse(self, status: int, sentence: str, reason: str) -> None:
        """Answer what never became an exchange."""
        log.info("%s from %s: %s", status, self.client, reason)
        self._write_refusal(status, sentence)
        self.linger()

    def _write_refusal(self, status: int, sentence: str) -> None:
        self._facts_of, self._writer.facts = None, NOTHING_FOLLOWS
        queue_response(self._writer, plain(status, sentence, close=True))
        self._writer.flush()


class MisdirectedProtocol(ServerConnection):
    """A client that speaks plain HTTP to a port for HTTPS: it is told so, whatever it asks.

    No name is told: it may not even know whose address this is.
    """

    __slots__ = ()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        sentence = "This port speaks HTTPS: open the same address with https:// in front."
        self._refuse(400, sentence, "plain HTTP on a port for HTTPS")
