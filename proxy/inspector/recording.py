"""One exchange while it is recorded: everything is handed on at once, and a copy is kept.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPMethod, HTTPStatus
from time import monotonic, time

from proxy.inspector.captured_sections import CapturedSections, head_of
from proxy.inspector.exchange import (
    CapturedHead,
    Exchange,
    Pair,
    Times,
    captured_changes,
    captured_fields,
    captured_value,
)
from proxy.inspector.guard import Guard
from proxy.inspector.recorded_content import ContentRecorder
from proxy.inspector.recorded_tunnel import RecordedConnection, TunnelRecorder
from proxy.inspector.ring import Ring
from proxy.messages import RawConnection, RequestBody, Responder
from proxy.observe.record import Record
from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from proxy.rules.redaction import printable, redact_target
from proxy.rules.site import Site
from proxy.short_response import Response
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import explain

MAX_TARGET_CHARACTERS = 4096
FIRST_ERROR = 400
MAX_REASON_BYTES = 1024
"""Of an error's content: Jupyter's reason stands there. It explains, and is not shown itself."""


@dataclass(frozen=True, slots=True)
class Capture:
    """What the recordings of all exchanges share.

    Attributes:
        ring: Gets the exchanges.
        guard: Everything that is done for the capture alone is done in it.
        sections: What was captured of the field sections in use.
        unseen: The recordings of open exchanges that the ring does not have yet.
    """

    ring: Ring
    guard: Guard = field(default_factory=Guard)
    sections: CapturedSections = field(default_factory=CapturedSections)
    unseen: set[RecordedExchange] = field(default_factory=set)


class RecordedExchange:
    """The proxying's ``RequestBody`` and ``Responder`` while an exchange is recorded.

    Args:
        capture: Gets the exchange.
        record: What the proxying notes.
        body: The front's.
        responder: The front's.
        site: What the rules decide by.
    """

    __slots__ = (
        "_began",
        "_body",
        "_capture",
        "_content_down",
        "_content_up",
        "_dial_seconds",
        "_exchange",
        "_filled_at",
        "_head",
        "_number",
        "_queue_seconds",
        "_reason",
        "_record",
        "_responder",
        "_sent",
        "_sent_at",
        "_site",
        "_started",
        "_status",
        "_websocket",
        "length",
    )

    def __init__(
        self,
        capture: Capture,
        record: Record,
        body: RequestBody,
        responder: Responder,
        site: Site,
    ) -> None:
        self._capture = capture
        self._record = record
        self._head = record.head
        self._site = site
        self._body = body
        self.length = body.length
        self._responder = responder
        self._started = time()
        self._began = monotonic()
        self._number = capture.ring.reserve()
        self._exchange: Exchange | None = None
        self._content_up: ContentRecorder | None = None
        self._content_down: ContentRecorder | None = None
        self._reason: bytearray | None = None
        self._queue_seconds: float | None = None
        self._dial_seconds: float | None = None
        self._filled_at = self._sent_at = 0.0
        self._sent: tuple[bytes, list[Field]] | None = None
        self._status = 0
        self._websocket = False

    def capture_content(self, max_bytes: int) -> None:
        """Keep the first ``max_bytes`` of the content of both directions, too."""
        self._content_up = ContentRecorder(max_bytes)
        self._content_down = ContentRecorder(max_bytes)

    # RequestBody

    def arrived(self) -> bytes | None:
        data = self._body.arrived()
        if data and self._content_up is not None:
            with self._capture.guard:
                self._content_up.feed(data)
        return data

    def take(self) -> bytes | None:
        data = self._body.take()
        if data and self._content_up is not None:
            with self._capture.guard:
                self._content_up.feed(data)
        return data

    def when_more(self, callback: Callable[[], None] | None) -> None:
        self._body.when_more(callback)

    # Responder

    @property
    def congested(self) -> bool:
        return self._responder.congested

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self._responder.when_writable(callback)

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self._responder.send_interim(status, reason, fields)

    def send_head(
        self,
        status: int,
        reason: bytes,
        fields: list[Field],
        *,
        sized: bool,
        dated: bool,
        close: bool = False,
    ) -> list[Field]:
        added = self._responder.send_head(
            status, reason, fields, sized=sized, dated=dated, close=close
        )
        with self._capture.guard:
            self._head_sent(status, reason, [*fields, *added])
        return added

    def send_body(self, data: bytes) -> None:
        with self._capture.guard:
            if self._content_down is not None:
                self._content_down.feed(data)
            if self._status >= FIRST_ERROR:
                self._keep_reason(data)
        self._responder.send_body(data)

    def flush(self) -> None:
        self._responder.flush()

    def end(self) -> None:
        self._responder.end()

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        client = self._responder.upgrade(reason, fields)
        with self._capture.guard:
            return RecordedConnection(client, self._tunnel(fields, reason))
        return client

    def _tunnel(self, fields: list[Field], reason: bytes) -> TunnelRecorder:
        self._websocket = True
        self._head_sent(101, reason, fields)
        exchange = self.show()
        tunnel = TunnelRecorder(
            exchange,
            self._capture.ring,
            self._head.target,
            fields,
            self._began,
            guard=self._capture.guard,
            content=self._content_up is not None,
        )
        # The handshake is captured, and a WebSocket is open for hours.
        self._head = self._record.head
        self._sent = None
        return tunnel

    def close(self) -> None:
        self._responder.close()

    def abort(self) -> None:
        self._responder.abort()

    def fail(self, error: Exception, response: Response) -> None:
        self._responder.fail(error, response)

    # What the proxying knows

    def admitted(self) -> None:
        """A slot and access control let the request through."""
        self._queue_seconds = monotonic() - self._began

    def dialled(self, seconds: float) -> None:
        """A connection to Jupyter was opened for it."""
        self._dial_seconds = (self._dial_seconds or 0.0) + seconds

    def show(self) -> Exchange:
        """Put the exchange into the ring, with what is known by now."""
        exchange = self._captured()
        self._publish(exchange)
        return exchange

    def finish(self) -> None:
        """The record is complete."""
        with self._capture.guard:
            self._finish()
        # Break the reference cycle.
        self._record.recording = None

    def _finish(self) -> None:
        exchange, record = self._captured(), self._record
        exchange.outcome = record.outcome
        exchange.open = False
        exchange.times.last_octet = monotonic() - self._began
        exchange.bytes_up, exchange.bytes_down = record.bytes_up, record.bytes_down
        if self._content_up is not None and exchange.sent_up is not None:
            exchange.content_up = self._content_up.captured(exchange.received)
        if self._content_down is not None and exchange.sent_down is not None:
            exchange.content_down = self._content_down.captured(exchange.sent_down)
        if self._status >= FIRST_ERROR or record.refusal is not None:
            self._explain(exchange)
        self._publish(exchange)

    def _publish(self, exchange: Exchange) -> None:
        ring, unseen = self._capture.ring, self._capture.unseen
        if self in unseen:
            unseen.discard(self)
            ring.add(exchange)
        else:
            ring.update(exchange)

    def _head_sent(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self._status = status
        self._sent, self._sent_at = (reason, fields), monotonic()
        if self._exchange is not None:
            self._publish(self._captured())

    def _keep_reason(self, data: bytes) -> None:
        if self._reason is None:
            self._reason = bytearray()
        if len(self._reason) < MAX_REASON_BYTES:
            self._reason += data[:MAX_REASON_BYTES]

    def _explain(self, exchange: Exchange) -> None:
        """Say why it failed, in the doctor's words."""
        record = self._record
        sent = record.upstream_request
        # What observing let through failed for another reason.
        refusal = None if exchange.would_refuse else record.refusal
        explanation = explain(
            Evidence(
                self._site,
                record.head,
                exchange.status,
                refusal=refusal,
                sent=head_of(sent, record.head.arrival) if sent else None,
                answered=record.upstream_response,
                content=bytes(self._reason or b""),
                outcome=record.outcome,
            )
        )
        if explanation is not None:
            exchange.symptom = explanation.symptom.id
            exchange.explanation = explanation.sentence

    # What is captured

    def _captured(self) -> Exchange:
        """The exchange as far as it is known by now; nothing of it holds a secret."""
        exchange = self._exchange
        if exchange is None:
            self._exchange = exchange = self._begun()
        exchange.websocket = self._websocket
        record, times = self._record, exchange.times
        times.queue, times.dial = self._queue_seconds, self._dial_seconds
        if record.upstream_request and record.sent_up_at != self._filled_at:
            # A retry is sent once more.
            self._filled_at = record.sent_up_at
            line = f"{exchange.method} {exchange.target} HTTP/1.1"
            exchange.sent_up, exchange.changes_up = self._capture.sections.sent_up(
                self._head.section, line, record
            )
            times.sent_up = record.sent_up_at - self._began
        answer = record.upstream_response
        if answer is not None and exchange.answered is None:
            exchange.answered = CapturedHead(
                _status_line(answer.status, answer.reason), captured_fields(answer.fields)
            )
            times.first_octet = record.answered_at - self._began
        if self._sent is not None and exchange.sent_down is None:
            reason, fields = self._sent
            exchange.status = self._status
            exchange.sent_down = CapturedHead(
                _status_line(self._status, reason), self._fields_down(fields)
            )
            times.sent_down = self._sent_at - self._began
        if len(exchange.changes_down) != len(record.changes_down):
            exchange.changes_down = captured_changes(record.changes_down)
        if (refusal := record.refusal) is not None:
            exchange.rule, exchange.reason = refusal.rule, reason_of(refusal)
            exchange.would_refuse = not record.outcome.startswith("refused ")
        return exchange

    def _fields_down(self, fields: list[Field]) -> tuple[Pair, ...]:
        """What the client got; mostly Jupyter's fields, and some behind them."""
        answer, exchange = self._record.upstream_response, self._exchange
        if answer is None or exchange is None or exchange.answered is None:
            return captured_fields(fields)
        count = len(answer.fields)
        if tuple(fields[:count]) != answer.fields:
            return captured_fields(fields)
        return exchange.answered.fields + captured_fields(fields[count:])

    def _begun(self) -> Exchange:
        head = self._head
        target = printable(redact_target(head.target), MAX_TARGET_CHARACTERS)
        method = _METHODS.get(head.method) or printable(head.method)
        major, minor = head.version
        return Exchange(
            started=self._started,
            peer=head.arrival.peer,
            method=method,
            target=target,
            received=self._capture.sections.received(
                head.section, f"{method} {target} HTTP/{major}.{minor}"
            ),
            scheme="https" if self._site.https else "http",
            number=self._number,
            times=Times(head.arrival.tls_seconds),
        )


def reason_of(refusal: Refuse) -> str:
    """Why a request was refused: the field at fault and its value, what is said, what to do."""
    parts = [refusal.sentence]
    if refusal.field:
        name, value = refusal.field, refusal.value
        shown = (
            "there is none" if value is None else repr(captured_value(name.encode("ascii"), value))
        )
        parts.insert(0, f"{name}: {shown}.")
    if refusal.hint:
        parts.append(f"({refusal.hint})")
    return " ".join(part for part in parts if part)


def _status_line(status: int, reason: bytes) -> str:
    known = _STATUS_LINES.get((status, reason))
    return known or f"HTTP/1.1 {status} {printable(redact_target(reason))}".rstrip()


_METHODS = {method.encode("ascii"): method for method in map(str, HTTPMethod)}
_STATUS_LINES = {
    (status.value, status.phrase.encode("ascii")): f"HTTP/1.1 {status.value} {status.phrase}"
    for status in HTTPStatus
}
