"""One allowed request on its way up to an upstream, and its response on the way down.

With a connection at hand no task is needed: the call that brings data, of the client or of the
upstream, sends it on. A task for each request would double the cost of a request. While the client
is congested, the upstream is not read, so at most one read's worth is buffered; while the upstream
is congested, the request's body is not taken.

Tested by tests/proxying/test_request_handler.py and tests/http1/test_endings.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from time import monotonic

from proxy.compression.compressed_response import CompressedResponse
from proxy.errors import UpstreamDown, UpstreamError
from proxy.http1.client_connection import UpstreamConnection
from proxy.messages import RequestBody, Responder
from proxy.observe.record import FIRST_ERROR_STATUS, Record
from proxy.proxying.pool import Pool
from proxy.proxying.result import Result, Switched, without_traceback
from proxy.proxying.router import Route
from proxy.proxying.services import Services
from proxy.rules.changes import Change, differences
from proxy.rules.compression import is_sized
from proxy.rules.head import Field, RequestHead, ResponseHead
from proxy.rules.message import IDEMPOTENT
from proxy.rules.negotiation import is_navigation
from proxy.rules.response import downstream_fields


@dataclass(slots=True, eq=False)
class Forwarder:
    """Sends one request, sends on its response, and reports the result once.

    It is the upstream connection's ``messages.Receiver``.

    Attributes:
        head: The request as it was allowed.
        body: The request's content.
        responder: The client's side.
        route: The upstream, with its site, limit and access control.
        services: What all requests use.
        request_id: Sent to the upstream with the request.
        report: Called once for each ``send``, with the result.
        upgrade: Whether the request asks for a WebSocket; then it has no content.
        extra: Fields added to the response.
        on_response: Called with the head of the final response.
        sent_up_at: When the request was sent, if there is an ``on_response``.
        trace: Receives the heads on Jupyter's side and the changes by the rules; None without
            tracing.
    """

    head: RequestHead
    body: RequestBody
    responder: Responder
    route: Route
    services: Services
    request_id: bytes
    report: Callable[[Result], None]
    upgrade: bool
    extra: tuple[Field, ...] = ()
    on_response: Callable[[ResponseHead], None] | None = None
    trace: Record | None = None
    _connection: UpstreamConnection | None = field(default=None, init=False)
    _contentless: bool = field(default=False, init=False)
    _reported: bool = field(default=False, init=False)
    sent_up_at: float = field(default=0.0, init=False)
    _status: int = field(default=0, init=False)
    _bytes_up: int = field(default=0, init=False)
    _bytes_down: int = field(default=0, init=False)
    _compressed: CompressedResponse | None = field(default=None, init=False)

    # Up

    def send(self, connection: UpstreamConnection) -> None:
        """Send the request, and what has arrived of its content.

        Raises:
            UpstreamDown: The connection is gone already.
        """
        head, trace = self.head, self.trace
        if self.on_response is not None:
            self.sent_up_at = monotonic()
        self._connection = connection
        self._reported = False
        site, request_id, upgrade = self.route.site, self.request_id, self.upgrade
        decision_cache = self.services.decision_cache
        lines = decision_cache.upstream_lines(head, site, websocket=upgrade, trace=trace)
        if trace is not None:
            trace.upstream_target, trace.sent_up_at = head.target, monotonic()
        body = self.body
        if body.length == 0:
            self._contentless = True
            connection.send(self, head, lines, request_id, b"", upgrade=upgrade)
            return
        arrived, chunked = body.arrived(), body.length is None
        connection.send(self, head, lines, request_id, arrived, chunked=chunked)
        if arrived is not None:
            self._contentless = not arrived
            self._bytes_up = len(arrived)
            return
        body.when_more(self._upload)
        self._upload()

    @property
    def request_ended_at(self) -> float:
        """When all of the request had been sent; 0.0 if it has not."""
        return self._connection.sent_at or 0.0 if self._connection is not None else 0.0

    async def dial(self, pool: Pool, record: Record) -> None:
        """Send the request over a new connection, for the first time or once more."""
        try:
            if record.recording is not None:
                record.recording.dialling(record)
            connection = await pool.dial()
            if record.recording is not None:
                record.recording.dialled(record)
            self.send(connection)
        except UpstreamError as error:
            self._reported = False
            self._finish(error)

    def abandon(self) -> Result:
        """The client has gone: drop the response."""
        self._reported = True
        self.body.when_more(None)
        if self._connection is not None:
            self._connection.give_up()
            self._connection = None
        self._stop_compressing()
        return Result(self._status, self._bytes_up, self._bytes_down)

    def _upload(self) -> None:
        """Send on what has arrived of the content, as fast as the upstream takes it."""
        connection = self._connection
        if connection is None:
            return
        try:
            while not connection.congested:
                piece = self.body.take()
                if piece is None:
                    return
                if not piece:
                    self.body.when_more(None)
                    connection.end_request()
                    return
                self._bytes_up += len(piece)
                connection.send_content(piece)
            connection.when_writable(self._upload)
        except Exception as error:
            # A request that breaks off must never look complete (RFC 9112 section 8).
            connection.give_up()
            self._finish(without_traceback(error))

    # Down (messages.Receiver)

    @property
    def for_page(self) -> bool:
        return self.head.method == b"GET" and is_navigation(self.head)

    def on_interim(self, head: ResponseHead) -> None:
        self.responder.send_interim(head.status, head.reason, self._fields(head)[0])

    def on_head(self, head: ResponseHead) -> None:
        fields, dated = self._final_fields(head)
        sized = b"content-length" in head.names
        cache = self.route.cache
        if cache is not None and b"cache-control" in head.names:
            cache.notice(self.head, head)
        if cache is not None and self.head.target.startswith(cache.page_prefix):
            fields += self._traced("preload", cache.preload_fields(self.head, head, fields))
        if self.head.target.startswith(self.route.site.compressible):
            fields = self._compress(head, fields)
            sized = sized and is_sized(fields)
        added = self.responder.send_head(head.status, head.reason, fields, sized=sized, dated=dated)
        self._status = head.status
        if added:
            fields = [*fields, *self._traced("framing", added)]
        if self.trace is not None:
            self.trace.sent_down = head.status, head.reason, tuple(fields)

    def on_content(self, data: bytes) -> None:
        self._bytes_down += len(data)
        self.responder.send_body(data)

    def on_pause(self) -> None:
        responder, connection = self.responder, self._connection
        responder.flush()
        if responder.congested and connection is not None:
            connection.pause_reading()
            responder.when_writable(connection.resume_reading)

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        self._status = head.status
        fields, _ = self._final_fields(head)
        assert self._connection is not None, "it has brought the head"
        switched = Switched(self._connection.detach(), head.reason, fields, rest)
        self._finish(switched=switched)

    def on_end(self) -> None:
        if self._compressed is None:
            self.responder.end()
            self._finish()
        else:
            # The connection may carry another request before the compressing thread is done.
            self._connection = None
            self._compressed.when_writable(None)
            self._compressed.end()

    def on_failure(self, error: Exception) -> None:
        fault = not isinstance(error, UpstreamError)
        if fault and self._reported:
            # Its request has ended: the event loop logs it.
            raise error
        if self._status and not fault:
            self.responder.flush()
        self._finish(without_traceback(error))

    def _compress(self, head: ResponseHead, fields: list[Field]) -> list[Field]:
        """Compress the content if the rules say so; returns the fields to send."""
        sent, compressed = self.services.compressor.begin(
            self.head,
            head,
            fields,
            base_path=self.route.site.base_path,
            responder=self.responder,
            ended=self._on_compressed,
        )
        if compressed is not None:
            self.responder = self._compressed = compressed
        if self.trace is not None:
            self.trace.note_changes(differences("compression", fields, sent))
        return sent

    def _on_compressed(self, error: BaseException | None) -> None:
        if error is None:
            self._finish()
            return
        if self._connection is not None:
            self._connection.give_up()
        reason = str(error) or type(error).__name__
        self._finish(UpstreamError(f"could not be compressed: {reason}"))

    def _stop_compressing(self) -> None:
        if self._compressed is not None:
            self._bytes_down = self._compressed.bytes_sent
            self._compressed.stop()
            self._compressed = None

    def _final_fields(self, head: ResponseHead) -> tuple[list[Field], bool]:
        if self.on_response is not None:
            self.on_response(head)
        changes: list[Change] | None = None
        if (trace := self.trace) is not None:
            trace.upstream_response, trace.answered_at = head, monotonic()
            trace.changes_down = changes = []
            if (to := trace.recording) and (to.watching or head.status >= FIRST_ERROR_STATUS):
                self.responder = to.watch(trace, self.responder)
        fields, dated = self._fields(head, changes)
        if self.extra:
            fields += self._traced("basic-auth", self.extra)
        return fields, dated

    def _traced(self, rule: str, added: Sequence[Field]) -> Sequence[Field]:
        """Return the fields, and trace which rule added them."""
        if self.trace is not None:
            self.trace.note_changes(Change(rule, name, None, value) for name, value in added)
        return added

    def _fields(
        self, head: ResponseHead, changes: list[Change] | None = None
    ) -> tuple[list[Field], bool]:
        site = self.route.site
        # Only Location needs the origin of this request.
        public = site.public_origin(self.head) if b"location" in head.names else site.domains[0]
        return downstream_fields(head, site, public, websocket=self.upgrade, changes=changes)

    # The end

    def _finish(self, error: Exception | None = None, switched: Switched | None = None) -> None:
        if self._reported:
            return
        self._reported = True
        retry = isinstance(error, UpstreamDown) and self._repeatable()
        if self.body.length != 0:
            self.body.when_more(None)
        # Break the reference cycle.
        self._connection = None
        self._stop_compressing()
        self.report(Result(self._status, self._bytes_up, self._bytes_down, error, retry, switched))

    def _repeatable(self) -> bool:
        """RFC 9112 section 9.3.1: a connection used before, idempotent, no content sent."""
        used = self._connection
        if used is None or not used.reused:
            return False
        return self._contentless and self.head.method in IDEMPOTENT
