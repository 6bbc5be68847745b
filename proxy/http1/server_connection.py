"""A client's HTTP/1.1 connection: bytes become requests, one at a time, and responses go back.

``connection_states`` describes the states in prose and as tables. One method here leads into each
of labgate's; the parser changes the client's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from time import monotonic
from typing import cast

from proxy.http1.accepted_connection import MAX_WRITE_BYTES, AcceptedConnection, AcceptingServer
from proxy.http1.chunked_body import open_body
from proxy.http1.connection_states import WITHOUT_REQUEST, ClientState, ServerState
from proxy.http1.request_body import EMPTY_BODY, SizedBody
from proxy.http1.request_parser import RequestParser
from proxy.http1.response_writer import ResponseWriter
from proxy.http1.timeouts import LATE_HEAD, Awaiting, ConnectionTimeouts
from proxy.http1.upgraded_connection import UpgradedConnection
from proxy.messages import RequestInProgress
from proxy.net.limits import Slot
from proxy.net.reset import reset
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.message import NOTHING_FOLLOWS, connection_facts
from proxy.short_response import plain

MAX_BUFFERED_BYTES = 64 * 1024
"""Bytes buffered while an earlier request has no response yet."""


class ServerConnection(AcceptedConnection):
    """One client's connection (``response_writer.Connection``).

    Attributes:
        writable: Called each time congestion ends.

    Args:
        server: Of the port.
        arrival: What is known of the connection; None if the event loop accepted it.
        slot: Counts the connection; None if the event loop accepted it.
    """

    __slots__ = (
        "_accepted_at",
        "_arrival",
        "_body",
        "_facts_key",
        "_in_progress",
        "_parser",
        "_queued",
        "_state",
        "_timeouts",
        "_upgraded",
        "_writer",
        "writable",
    )

    def __init__(
        self, server: AcceptingServer, arrival: Arrival | None = None, slot: Slot | None = None
    ) -> None:
        self._arrival = arrival or Arrival("")
        self._accepted_at = monotonic()
        super().__init__(server, self._arrival.peer, slot)
        self._state = ServerState.IDLE
        self._parser = RequestParser(server.limits)
        self._queued: RequestHead | None = None
        self._body: SizedBody | None = None
        self._in_progress: RequestInProgress | None = None
        self._writer = ResponseWriter(self)
        self._facts_key: object = None
        self._timeouts = ConnectionTimeouts()
        self._upgraded: UpgradedConnection | None = None
        self.writable: Callable[[], None] | None = None

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast(asyncio.Transport, transport)
        if self._slot is None:
            if not self._acquire_slot(transport):
                reset(transport)
                return
            self._arrival = Arrival(self.client, plain_redirects=self._server.plain_redirects)
        elif transport.get_extra_info("sslcontext") is not None:
            # The event loop creates the protocol before the handshake and calls this after it.
            self._arrival = replace(self._arrival, tls_seconds=monotonic() - self._accepted_at)
        self._timeouts.begin(Awaiting.HEAD)
        self._writer.draining = self._server.draining
        self._register(transport)

    def data_received(self, data: bytes) -> None:
        parser = self._parser
        while data:
            state = parser.state
            piece, data = parser.read(data)
            if piece is None:
                break
            if isinstance(piece, Refuse):
                self._refuse(piece)
            elif state is ClientState.HEAD:
                self._queue_request()
            elif (body := self._body) is not None:
                body.feed(piece)
                if state is ClientState.BODY and parser.state is not state:
                    body.end()
        if self._queued is not None:
            self._start_request()
        if parser.buffered:
            if parser.state is ClientState.HEAD:
                if self._timeouts.awaiting is not Awaiting.HEAD:
                    self._timeouts.begin(Awaiting.HEAD)
            elif len(parser.buffered) > MAX_BUFFERED_BYTES:
                self.pause_reading()

    def eof_received(self) -> bool | None:
        # A client that half-closes still gets its response (RFC 9112 section 9.6); over
        # TLS the transport closes whatever is returned here.
        self._half_closed = True
        if self._state in WITHOUT_REQUEST and self._parser.state is not ClientState.DONE:
            return None
        if self._body is not None:
            self._body.fail(ConnectionResetError("the client ended in the middle"))
        return self.transport is not None and self.transport.can_write_eof()

    def pause_writing(self) -> None:
        self.congested = True

    def resume_writing(self) -> None:
        self.congested = False
        if self.writable is not None:
            self.writable()
        elif self._queued is not None:
            # Not at once: asyncio's own transport must not be closed by what it calls here.
            asyncio.get_running_loop().call_soon(self._start_request)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._upgraded is not None:
            # Over TLS the event loop chose the protocol to call before the 101 was sent.
            self._upgraded.connection_lost(exc)
            return
        self._unregister()
        self._close()
        if self._body is not None:
            self._body.fail(ConnectionResetError("the client went away"))
        if self._in_progress is not None:
            self._in_progress.cancel()
        self._queued = self._body = self._in_progress = self.writable = None
        # Break the reference cycle.
        del self._writer

    # From IDLE to QUEUED to RESPONDING

    def _queue_request(self) -> None:
        """The parser has read a head."""
        parser, section = self._parser, self._parser.section
        method, target, version = parser.request_line
        self._timeouts.awaiting, self._state = Awaiting.NOTHING, ServerState.QUEUED
        self._queued = head = RequestHead(
            method, target, version, section.fields, self._arrival, section
        )
        facts_key = (section, method, version)
        if self._facts_key != facts_key:
            self._facts_key, self._writer.facts = facts_key, connection_facts(head)
        self._body = None
        if parser.state is not ClientState.DONE:
            expects_continue = self._writer.facts.expects_continue
            self._body = open_body(self, self._server.limits, section.framing, expects_continue)

    def _start_request(self) -> None:
        """Dispatch the request, with what has arrived of its content, unless the client is slow.

        A client that pipelines without reading must not fill the memory with responses.
        """
        head = self._queued
        if head is None or self.congested:
            return
        self._queued = None
        self._state, self._writer.sent = ServerState.RESPONDING, False
        in_progress = self._server.dispatch(head, self._body or EMPTY_BODY, self._writer)
        if self._state is ServerState.RESPONDING:
            self._in_progress = in_progress

    # From RESPONDING to IDLE, SWITCHED, LINGERING or CLOSED (response_writer.Connection)

    @property
    def body_outstanding(self) -> bool:
        return self._body is not None and self._body.outstanding

    def end_response(self, data: bytes, *, persistent: bool) -> None:
        transport, body = self.transport, self._body
        self._body = self._in_progress = None
        outstanding = body is not None and body.outstanding
        if body is not None:
            # Read the rest of it: requests follow it, or the client's FIN.
            body.discard()
        if transport is None or transport.is_closing():
            self._close()
            return
        if len(data) > MAX_WRITE_BYTES:
            self.write(data)
        elif data:
            transport.write(data)
        parser = self._parser
        if not persistent:
            if outstanding or parser.buffered:
                self.linger()
            else:
                self._close()
            return
        self._state = ServerState.IDLE
        self._timeouts.awaiting, self._timeouts.since = Awaiting.REQUEST, monotonic()
        if parser.buffered:
            asyncio.get_running_loop().call_soon(self._read_buffered)
        elif self._half_closed:
            transport.close()
        else:
            parser.next_request()

    def _read_buffered(self) -> None:
        """Read the bytes buffered behind the request: without a 101 they are further requests."""
        if self.transport is None or self.transport.is_closing():
            return
        buffered = self._parser.take_buffered()
        self._parser.next_request()
        # Before reading, because the next request or its content may pause it again.
        self.resume_reading()
        self.data_received(buffered)
        if self._half_closed:
            self.eof_received()  # It came before these bytes were read.
            if self._parser.state is ClientState.HEAD:
                self.finish()

    def upgraded(self) -> UpgradedConnection:
        self._state, self._in_progress = ServerState.SWITCHED, None
        upgraded = UpgradedConnection(self, self._parser.switch_protocols())
        self.transport, self._upgraded = None, upgraded
        # An idle WebSocket must not keep what only HTTP needs; the request keeps this object.
        self._facts_key = None
        del self._writer, self._parser, self._timeouts
        return upgraded

    def _close(self) -> None:
        """Nothing more is sent."""
        self._state = ServerState.CLOSED
        self.finish()

    def linger(self) -> None:
        self._parser.ignore()
        self._state, self._in_progress = ServerState.LINGERING, None
        self._timeouts.begin(Awaiting.END)
        if self._half_closed:
            self.finish()
        else:
            self.resume_reading()
            self.write_eof()

    def _refuse(self, refusal: Refuse) -> None:
        """Respond to a malformed or late head, and linger."""
        self._server.refused_heads.add(self.client, refusal)
        self._facts_key, self._writer.facts = None, NOTHING_FOLLOWS
        self._writer.refuse(plain(refusal.status, refusal.sentence))

    # For the server

    def abort(self) -> None:
        if self._upgraded is not None:
            self._upgraded.abort()
        else:
            super().abort()

    def drain(self, *, keep_idle: bool = False) -> None:
        self._writer.draining = True
        if not keep_idle:
            self._writer.ending = True
            if self._state in WITHOUT_REQUEST:
                self.finish()

    def end(self) -> None:
        if self._state is ServerState.RESPONDING:
            self.abort()
        else:
            self.finish()

    def enforce_timeouts(self, now: float) -> None:
        if self.transport is None:
            # The connection was lost or upgraded while the sweep yielded to other tasks.
            return
        if self._timeouts.expired(now, self._server.limits):
            if self._timeouts.awaiting is Awaiting.HEAD and self._parser.buffered:
                self._refuse(LATE_HEAD)
            else:
                # Browsers open connections in advance: without a byte there is no request.
                self.finish()
        if self._body is not None:
            self._body.check_pace(now, response_begun=self._writer.sent)
        super().enforce_timeouts(now)
