"""What is captured of one exchange, and when the ring gets it.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic, time

from proxy.inspector.captured_sections import CapturedSections
from proxy.inspector.captured_text import (
    captured_changes,
    captured_fields,
    captured_response,
    captured_target,
    status_line,
)
from proxy.inspector.exchange import OBJECT_OCTETS, CapturedChange, CapturedHead, Exchange
from proxy.inspector.failure import explain_failure, reason_of
from proxy.inspector.guard import Guard
from proxy.inspector.recorded_content import ContentRecorder
from proxy.inspector.recorded_tunnel import TunnelRecorder
from proxy.inspector.ring import Ring
from proxy.inspector.snapshot import Snapshot
from proxy.messages import Responder
from proxy.observe.record import Record
from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from proxy.rules.site import Site

FIRST_ERROR_STATUS = 400
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
        content_up: Keeps the beginning of the request's content; None if that is not wanted.
        content_down: The same for the response.

    Args:
        context: Gets the exchange.
        record: What the proxying notes.
        site: What the rules decide by.
        responder: The front's.
    """

    # Of most exchanges these stay as they are: to set them for each costs more.
    content_up: ContentRecorder | None = None
    content_down: ContentRecorder | None = None
    _exchange: Exchange | None = None
    _websocket: bool = False
    _short: bool = True
    """Whether it may be captured with others, a little after its end: nobody has seen it yet, and
    only heads, times and sizes are wanted."""
    _admitted_at: float = 0.0
    _dial_seconds: float | None = None
    _dialling_since: float = 0.0
    _refusal: Refuse | None = None
    _status: int = 0
    _sent: tuple[bytes, list[Field]] | None = None
    _sent_at: float = 0.0
    _sent_bytes: int = 0
    _reason: bytes = b""
    _ended_at: float = 0.0

    def __init__(
        self, context: CaptureContext, record: Record, site: Site, responder: Responder
    ) -> None:
        self._context = context
        self._responder = responder
        self._record = record
        # A WebSocket's record loses it.
        self._head = record.head
        self._site = site
        self._started = time()
        self._number = context.ring.reserve()

    def capture_content(self, max_bytes: int) -> ContentRecorder:
        """Keep the first ``max_bytes`` of the content of both directions, too.

        Returns:
            What has to be given the request's.
        """
        self._short = False
        self.content_up = ContentRecorder(max_bytes)
        self.content_down = ContentRecorder(max_bytes)
        return self.content_up

    def capture_at_end(self) -> None:
        """Capture it as soon as it ends, and not with others later."""
        self._short = False

    # What the client gets

    def content_sent(self, data: bytes) -> None:
        """A piece of the response's content that is kept, or explains an error."""
        if self.content_down is not None:
            self.content_down.feed(data)
        if self._status >= FIRST_ERROR_STATUS and len(self._reason) < MAX_REASON_BYTES:
            self._reason += data[:MAX_REASON_BYTES]

    def upgraded(self, reason: bytes, fields: list[Field]) -> TunnelRecorder:
        """A 101; returns what records the messages that follow."""
        self._websocket = True
        self._status, self._sent, self._sent_at = 101, (reason, fields), monotonic()
        exchange = self.show()
        tunnel = TunnelRecorder(
            exchange,
            self._context.ring,
            self._head.target,
            fields,
            self._record.started_at,
            guard=self._context.guard,
            content=self.content_up is not None,
        )
        # The handshake is captured, and a WebSocket is open for hours.
        self._head = self._record.head
        self._sent = None
        return tunnel

    # What the proxying knows

    def refused(self, refusal: Refuse) -> None:
        """It was refused; or let through, because labgate only observes."""
        self._refusal, self._short = refusal, False

    def admitted(self) -> None:
        """A slot and access control let the request through."""
        self._admitted_at = monotonic()

    def dialling(self) -> None:
        """A connection to Jupyter is being opened for it."""
        self._dialling_since = monotonic()

    def dialled(self) -> None:
        """That connection is open."""
        self._dial_seconds = (self._dial_seconds or 0.0) + monotonic() - self._dialling_since

    def show(self) -> Exchange:
        """Put the exchange into the ring, with what is known by now."""
        self._short = False
        exchange = self._whole(self._snapshot())
        self._publish(exchange)
        return exchange

    def finish(self) -> None:
        """The record is complete."""
        context = self._context
        try:
            if self._short and self._status < FIRST_ERROR_STATUS:
                self._ended_at = monotonic()
                context.unseen.discard(self)
                context.ring.keep(self)
            else:
                self._finish()
        except Exception as error:
            context.guard.caught(error)
        # Break the reference cycle.
        self._record.recording = None

    def snapshot(self) -> Snapshot | None:
        """What is captured of it, now that it has ended well; None after a fault."""
        try:
            return self._snapshot(self._ended_at)
        except Exception as error:
            self._context.guard.caught(error)
            return None

    def _finish(self) -> None:
        """Make the whole exchange of what somebody sees already, or will want to see."""
        if self._websocket:
            self._finish_websocket()
            return
        exchange = self._whole(self._snapshot(monotonic()))
        if self.content_up is not None and exchange.sent_up is not None:
            exchange.content_up = self.content_up.captured(exchange.received)
        if self.content_down is not None and exchange.sent_down is not None:
            exchange.content_down = self.content_down.captured(exchange.sent_down)
        if self._status >= FIRST_ERROR_STATUS or self._refusal is not None:
            # What observing let through failed for another reason.
            refusal = None if exchange.would_refuse else self._refusal
            explain_failure(exchange, self._record, refusal, self._site, self._reason)
        self._publish(exchange)

    def _finish_websocket(self) -> None:
        exchange, record = self._exchange, self._record
        assert exchange is not None, "its handshake was shown"
        exchange.open, exchange.outcome = False, record.outcome
        exchange.bytes_up, exchange.bytes_down = record.bytes_up, record.bytes_down
        exchange.times.last_octet = monotonic() - record.started_at
        self._publish(exchange)

    def _publish(self, exchange: Exchange) -> None:
        ring, unseen = self._context.ring, self._context.unseen
        if self in unseen:
            unseen.discard(self)
            ring.add(exchange)
        else:
            ring.update(exchange)

    def _whole(self, snapshot: Snapshot) -> Exchange:
        """The exchange as far as it is known by now."""
        if self._exchange is None:
            self._exchange = snapshot.exchange()
        else:
            snapshot.write_to(self._exchange)
        exchange = self._exchange
        exchange.websocket = self._websocket
        if (refusal := self._refusal) is not None:
            exchange.rule, exchange.reason = refusal.rule, reason_of(refusal)
            exchange.would_refuse = not self._record.outcome.startswith("refused ")
        return exchange

    def _snapshot(self, ended_at: float = 0.0) -> Snapshot:
        record, head = self._record, self._head
        section = self._context.sections.of(head.section)
        target = captured_target(head.target)
        octets = OBJECT_OCTETS + 3 * len(target) + section.octets
        sent_up, target_up = None, target
        if record.upstream_target:
            sent_up = section.sent_up(record)
            target_up = captured_target(record.upstream_target)
            octets += sent_up.octets + 2 * len(record.request_id)
        answer, answered, sent_down = record.upstream_response, None, None
        if answer is not None:
            answered, weight = captured_response(answer.status, answer.reason, answer.fields)
            octets += weight
        if self._sent is not None:
            reason, fields = self._sent
            if (
                answer is not None
                and self._status == answer.status
                and reason == answer.reason
                and (*fields,) == answer.fields
            ):
                sent_down = answered
                octets += weight
            else:
                line = status_line(self._status, reason)
                sent_down = CapturedHead(line, captured_fields(fields))
                octets += sent_down.octets
        changes_down: tuple[CapturedChange, ...] = ()
        if record.changes_down:
            changes_down = captured_changes(record.changes_down)
            octets += sum([change.octets for change in changes_down])
        # Not by its own constructor, which is a function in Python.
        return tuple.__new__(
            Snapshot,
            (
                self._number,
                self._started,
                record.started_at,
                head.arrival,
                head.method,
                target,
                head.version,
                section.received,
                self._site,
                record.route,
                self._admitted_at,
                self._dial_seconds,
                sent_up,
                target_up,
                record.sent_up_at,
                record.request_id,
                answered,
                record.answered_at,
                self._status,
                sent_down,
                self._sent_at,
                changes_down,
                record.outcome,
                record.bytes_up,
                # The record counts what came from Jupyter, not what labgate says itself.
                record.bytes_down or self._sent_bytes,
                ended_at,
                octets,
            ),
        )
