"""A client's HTTP/2 connection: frames become requests, and responses go back (RFC 9113).

A connection is *open* until it ends: then a GOAWAY is sent, its streams are closed, and it
*lingers* for a moment, because what a client sends into a closed connection makes its kernel drop
what it has not read yet. *Draining* lies between the two: a GOAWAY was sent, new streams are
refused, and those that are open go on to their end.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from time import monotonic
from typing import cast

from h2.errors import ErrorCodes

from proxy.http1.accepted_connection import AcceptedConnection
from proxy.http1.request_body import EMPTY_BODY
from proxy.http1.timeouts import UNREAD_SECONDS, Awaiting, ConnectionTimeouts
from proxy.http2.request_receiver import CLIENT_ENDED, Ending, RequestReceiver, StreamServer
from proxy.http2.responder import StreamResponder
from proxy.http2.response_sender import ResponseSender
from proxy.http2.settings import begin, go_away
from proxy.http2.stream import RESUMED_QUEUED_BYTES, Stream
from proxy.messages import send_response
from proxy.net.limits import Slot
from proxy.net.send_buffer import limit_unsent
from proxy.rules.decision import Refuse
from proxy.rules.head import Arrival, Field
from proxy.short_response import plain
from proxy.tls.context import names_of

log = logging.getLogger("labgate")

PIECE_BYTES = 16 * 1024
"""Of what has arrived; between two pieces floods are looked for."""
BATCH_BYTES = 64 * 1024
"""Sent before it is asked again whether the client reads."""
UNSENT_BYTES = 128 * 1024
"""In the kernel."""


class Http2Connection(AcceptedConnection):
    """One client's connection (``stream.StreamConnection``).

    Args:
        server: Of the port.
        arrival: What is known of the connection.
        slot: Counts the connection.
        accepted_at: When, by ``time.monotonic()``.
    """

    __slots__ = (
        "_accepted_at",
        "_arrival",
        "_codec",
        "_ended",
        "_flushing_soon",
        "_reading",
        "_receiver",
        "_sender",
        "_streaming",
        "_streams",
        "_timeouts",
    )

    def __init__(
        self, server: StreamServer, arrival: Arrival, slot: Slot, accepted_at: float
    ) -> None:
        super().__init__(server, arrival.peer, slot)
        self._streaming = server
        self._arrival = arrival
        self._accepted_at = accepted_at
        self._reading = self._ended = self._flushing_soon = False
        self._timeouts = ConnectionTimeouts()

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The TLS handshake is finished."""
        transport = cast(asyncio.Transport, transport)
        arrival = replace(
            self._arrival,
            tls_seconds=monotonic() - self._accepted_at,
            names=names_of(transport.get_extra_info("ssl_object")),
        )
        self._codec, greeting = begin(self._server.limits)
        self._sender = ResponseSender(self._codec)
        self._receiver = RequestReceiver(self, self._codec, self._sender, self._streaming, arrival)
        self._streams = self._receiver.streams
        self._timeouts.begin(Awaiting.HEAD)
        self._register(transport)
        limit_unsent(transport, UNSENT_BYTES)
        self.write(greeting)
        if self._server.draining:
            # Its handshake took longer than the drain, which has passed it by.
            self.drain()

    def data_received(self, data: bytes) -> None:
        self._reading = True
        for start in range(0, len(data), PIECE_BYTES):
            if self._ended:
                return
            piece = data if len(data) <= PIECE_BYTES else data[start : start + PIECE_BYTES]
            ending = self._receiver.receive(piece, monotonic())
            if ending is not None:
                self._end(ending)
                return
        self._reading = False
        self._start_requests()
        self.flush()
        self._choose_timeout()

    def pause_writing(self) -> None:
        self.congested = True

    def resume_writing(self) -> None:
        self.congested = False
        # Not at once: the transport must not be written to by what it calls here.
        self.flush_soon()

    def connection_lost(self, exc: Exception | None) -> None:
        self._unregister()
        self._ended = True
        self._close_streams()

    # Requests

    def _start_requests(self) -> None:
        """Dispatch what waits, with what has arrived of its content, unless the client is slow.

        A client that does not read must not fill the memory with responses.
        """
        waiting = self._receiver.waiting
        while waiting and not self.congested and not self._ended:
            stream = waiting.popleft()
            head = stream.head
            if stream.closed:
                continue
            if isinstance(head, Refuse):
                responder = StreamResponder(stream, is_head=False)
                send_response(responder, plain(head.status, head.sentence, head.fields))
                continue
            responder = StreamResponder(stream, is_head=head.method == b"HEAD")
            in_progress = self._server.dispatch(head, stream.body or EMPTY_BODY, responder)
            if not (stream.response_ended or stream.closed):
                stream.in_progress = in_progress

    def _proceed(self) -> None:
        self._flushing_soon = False
        self._start_requests()
        self.flush()

    # stream.StreamConnection

    def send_fields(self, stream: Stream, fields: list[Field], *, end: bool) -> None:
        self._codec.send_headers(stream.id, fields, end_stream=end)
        if end:
            self._finish_stream(stream)

    def schedule(self, stream: Stream) -> None:
        self._sender.schedule(stream, monotonic())

    def reset(self, stream: Stream, code: ErrorCodes) -> None:
        self._codec.reset_stream(stream.id, code)
        self._forget(stream)
        self.flush()

    def open_windows(self, stream: Stream, count: int) -> None:
        if not self._ended:
            self._receiver.content_taken(stream, count)
            self.flush()

    def flush(self) -> None:
        """Send what waits, as far as windows and the transport allow."""
        while not (self._reading or self._ended):
            sent: list[Stream] = []
            if not self.congested:
                sent = self._sender.fill(BATCH_BYTES, monotonic())
            data = self._codec.data_to_send()
            if not data:
                return
            self.write(data)
            for stream in sent:
                if stream.end_sent:
                    self._finish_stream(stream)
                elif stream.writable is not None and stream.queued_bytes <= RESUMED_QUEUED_BYTES:
                    stream.writable()
            ending = self._receiver.count_sent(monotonic())
            if ending is not None:
                self._end(ending)

    def flush_soon(self) -> None:
        if not (self._flushing_soon or self._reading or self._ended):
            self._flushing_soon = True
            asyncio.get_running_loop().call_soon(self._proceed)

    def _finish_stream(self, stream: Stream) -> None:
        """The response is complete; a client that still sends is asked to stop."""
        if stream.closed:
            return
        if not stream.request_ended:
            # RFC 9113 section 8.1.
            self._codec.reset_stream(stream.id, ErrorCodes.NO_ERROR)
        self._forget(stream)

    def _forget(self, stream: Stream) -> None:
        self._streams.pop(stream.id, None)
        self._sender.forget(stream)
        stream.close()
        if not self._streams and not self._reading:
            self._choose_timeout()

    # The end

    def _end(self, ending: Ending) -> None:
        """End the connection because of what the client did."""
        self._ended, self._reading = True, False
        if ending.reason:
            log.info("HTTP/2 of %s ended: %s", self.client, ending.reason)
        data = self._codec.data_to_send()
        if ending.code is not None:
            data += go_away(self._codec, ending.code)
        if data:
            self.write(data)
        self._close_streams()
        if ending is CLIENT_ENDED:
            self.finish()
        else:
            self._timeouts.begin(Awaiting.END)

    def _close_streams(self) -> None:
        streams = list(self._streams.values())
        self._streams.clear()
        self._receiver.waiting.clear()
        for stream in streams:
            self._sender.forget(stream)
            stream.cancel()

    def _choose_timeout(self) -> None:
        """What the client is waited for, now that it has sent something or got a response."""
        timeouts = self._timeouts
        if self._ended or timeouts.awaiting is Awaiting.END:
            return
        if self._receiver.within_head:
            if timeouts.awaiting is not Awaiting.HEAD:
                timeouts.begin(Awaiting.HEAD)
        elif self._streams:
            timeouts.awaiting = Awaiting.NOTHING
        elif self._receiver.draining:
            self._end(Ending(None))
        elif timeouts.awaiting is not Awaiting.REQUEST and self._codec.highest_inbound_stream_id:
            timeouts.begin(Awaiting.REQUEST)

    # For the server

    def drain(self, *, keep_idle: bool = False) -> None:
        # The client learns which requests were not taken (RFC 9113 section 6.8): none is lost.
        if self._ended or self.transport is None:
            return
        self._receiver.draining = True
        self.write(self._codec.data_to_send() + go_away(self._codec, ErrorCodes.NO_ERROR))
        self._choose_timeout()

    def end(self) -> None:
        if self._streams:
            self.abort()
        else:
            self.finish()

    def enforce_timeouts(self, now: float) -> None:
        if self.transport is None:
            return
        if self._timeouts.expired(now, self._server.limits):
            if self._ended:
                self.finish()
            else:
                self._end(Ending(ErrorCodes.NO_ERROR))
        window_used_up = self._codec.inbound_flow_control_window <= 0
        for stream in list(self._streams.values()):
            if stream.body is None:
                continue
            if window_used_up:
                stream.body.wait_for_window(now)
            else:
                stream.body.check_pace(now, response_begun=stream.response_begun)
        for stream in self._sender.stalled(now - UNREAD_SECONDS):
            # Its window stays closed. The client may want the others.
            self._codec.reset_stream(stream.id, ErrorCodes.CANCEL)
            self._forget(stream)
            stream.cancel()
        self.flush()
        super().enforce_timeouts(now)
