"""What is captured of one exchange, and when the ring gets it.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPMethod, HTTPStatus
from time import monotonic, time

from proxy.inspector.captured_sections import CapturedSections
from proxy.inspector.exchange import (
    CapturedHead,
    Exchange,
    Pair,
    Times,
    captured_changes,
    captured_fields,
    captured_section,
)
from proxy.inspector.failure import explain_failure, reason_of
from proxy.inspector.guard import Guard
from proxy.inspector.recorded_content import ContentRecorder
from proxy.inspector.recorded_tunnel import TunnelRecorder
from proxy.inspector.ring import Ring
from proxy.observe.record import Record
from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from proxy.rules.redaction import printable, redact_phrase, redact_target
from proxy.rules.site import Site

MAX_TARGET_CHARACTERS = 4096
FIRST_ERROR = 400
MAX_REASON_BYTES = 1024
"""Of an error's content: Jupyter's reason stands there. It explains, and is not shown itself."""


@dataclass(frozen=True, slots=True)
class CaptureContext:
    """What the captures of all exchanges share.

    Attributes:
        ring: Gets the exchanges.
        guard: Everything that is done for the capture alone is done in it.
        sections: What was captured of the field sections in use.
        unseen: The captures of open exchanges that the ring does not have yet.
    """

    ring: Ring
    guard: Guard = field(default_factory=Guard)
    sections: CapturedSections = field(default_factory=CapturedSections)
    unseen: set[ExchangeCapture] = field(default_factory=set)


class ExchangeCapture:
    """Notes what passes of one exchange (``observe.record.Recording``), and captures it in the end.

    Attributes:
        guard: What a ``RecordedExchange`` calls is called in it.
        content_up: Keeps the beginning of the request's content; None if that is not wanted.
        content_down: The same for the response.

    Args:
        context: Gets the exchange.
        record: What the proxying notes.
        site: What the rules decide by.
    """

    __slots__ = (
        "_began",
        "_context",
        "_dial_seconds",
        "_dialling_since",
        "_exchange",
        "_filled_at",
        "_head",
        "_number",
        "_queue_seconds",
        "_reason",
        "_record",
        "_refusal",
        "_sent",
        "_sent_at",
        "_sent_bytes",
        "_site",
        "_started",
        "_status",
        "_websocket",
        "content_down",
        "content_up",
        "guard",
    )

    def __init__(self, context: CaptureContext, record: Record, site: Site) -> None:
        self._context = context
        self._record = record
        self._head = record.head
        self._site = site
        self._started = time()
        self._began = record.started_at
        self._number = context.ring.reserve()
        self._exchange: Exchange | None = None
        self.guard = context.guard
        self.content_up: ContentRecorder | None = None
        self.content_down: ContentRecorder | None = None
        self._reason: bytearray | None = None
        self._queue_seconds: float | None = None
        self._dial_seconds: float | None = None
        self._refusal: Refuse | None = None
        self._dialling_since = self._filled_at = self._sent_at = 0.0
        self._sent: tuple[bytes, list[Field]] | None = None
        self._status = 0
        self._websocket = False
        self._sent_bytes = 0

    def capture_content(self, max_bytes: int) -> None:
        """Keep the first ``max_bytes`` of the content of both directions, too."""
        self.content_up = ContentRecorder(max_bytes)
        self.content_down = ContentRecorder(max_bytes)

    # What the client gets

    def head_sent(self, status: int, reason: bytes, fields: list[Field]) -> None:
        """The head of the final response, or a 101."""
        self._status = status
        self._sent, self._sent_at = (reason, fields), monotonic()
        if self._exchange is not None:
            self._publish(self._captured())

    def content_sent(self, data: bytes) -> None:
        """A piece of the response's content."""
        self._sent_bytes += len(data)
        if self.content_down is not None:
            self.content_down.feed(data)
        if self._status >= FIRST_ERROR:
            if self._reason is None:
                self._reason = bytearray()
            if len(self._reason) < MAX_REASON_BYTES:
                self._reason += data[:MAX_REASON_BYTES]

    def upgraded(self, reason: bytes, fields: list[Field]) -> TunnelRecorder:
        """A 101; returns what records the messages that follow."""
        self._websocket = True
        self.head_sent(101, reason, fields)
        exchange = self.show()
        tunnel = TunnelRecorder(
            exchange,
            self._context.ring,
            self._head.target,
            fields,
            self._began,
            guard=self.guard,
            content=self.content_up is not None,
        )
        # The handshake is captured, and a WebSocket is open for hours.
        self._head = self._record.head
        self._sent = None
        return tunnel

    # What the proxying knows

    def refused(self, refusal: Refuse) -> None:
        """It was refused; or let through, because labgate only observes."""
        self._refusal = refusal

    def admitted(self) -> None:
        """A slot and access control let the request through."""
        self._queue_seconds = monotonic() - self._began

    def dialling(self) -> None:
        """A connection to Jupyter is being opened for it."""
        self._dialling_since = monotonic()

    def dialled(self) -> None:
        """That connection is open."""
        self._dial_seconds = (self._dial_seconds or 0.0) + monotonic() - self._dialling_since

    def show(self) -> Exchange:
        """Put the exchange into the ring, with what is known by now."""
        exchange = self._captured()
        self._publish(exchange)
        return exchange

    def finish(self) -> None:
        """The record is complete."""
        try:
            self._finish()
        except Exception as error:
            self.guard.caught(error)
        # Break the reference cycle.
        self._record.recording = None

    def _finish(self) -> None:
        exchange, record = self._captured(), self._record
        exchange.outcome = record.outcome
        exchange.open = False
        exchange.times.last_octet = monotonic() - self._began
        exchange.bytes_up = record.bytes_up
        # The record counts what came from Jupyter, not what labgate says itself.
        exchange.bytes_down = record.bytes_down or self._sent_bytes
        if self.content_up is not None and exchange.sent_up is not None:
            exchange.content_up = self.content_up.captured(exchange.received)
        if self.content_down is not None and exchange.sent_down is not None:
            exchange.content_down = self.content_down.captured(exchange.sent_down)
        if self._status >= FIRST_ERROR or self._refusal is not None:
            # What observing let through failed for another reason.
            refusal = None if exchange.would_refuse else self._refusal
            explain_failure(exchange, record, refusal, self._site, bytes(self._reason or b""))
        self._publish(exchange)

    def _publish(self, exchange: Exchange) -> None:
        ring, unseen = self._context.ring, self._context.unseen
        if self in unseen:
            unseen.discard(self)
            ring.add(exchange)
        else:
            ring.update(exchange)

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
            exchange.sent_up, exchange.changes_up = self._context.sections.sent_up(
                self._head.section, line, record
            )
            times.sent_up = record.sent_up_at - self._began
        answer = record.upstream_response
        if answer is not None and exchange.answered is None:
            exchange.answered = CapturedHead(
                _status_line(answer.status, answer.reason), captured_section(answer.fields)
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
        if (refusal := self._refusal) is not None:
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
            received=self._context.sections.received(
                head.section, f"{method} {target} HTTP/{major}.{minor}"
            ),
            scheme="https" if self._site.https else "http",
            number=self._number,
            times=Times(head.arrival.tls_seconds),
        )


def _status_line(status: int, reason: bytes) -> str:
    known = _STATUS_LINES.get((status, reason))
    return known or f"HTTP/1.1 {status} {printable(redact_phrase(reason))}".rstrip()


_METHODS = {method.encode("ascii"): method for method in map(str, HTTPMethod)}
_STATUS_LINES = {
    (status.value, status.phrase.encode("ascii")): f"HTTP/1.1 {status.value} {status.phrase}"
    for status in HTTPStatus
}
