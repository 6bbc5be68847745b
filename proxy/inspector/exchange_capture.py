"""What is captured of an exchange of which more is wanted than heads, times and sizes in the end.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from proxy.inspector.capture_context import CaptureContext
from proxy.inspector.exchange import Exchange
from proxy.inspector.failure import explain_failure, reason_of
from proxy.inspector.recorded_content import ContentRecorder
from proxy.inspector.recorded_tunnel import TunnelRecorder
from proxy.inspector.snapshot import Snapshot
from proxy.observe.record import FIRST_ERROR_STATUS, Record, SentDown
from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from proxy.rules.site import Site

MAX_REASON_BYTES = 1024
"""How much of the beginning of an error's content is kept: Jupyter's reason stands there. It
explains, and is not shown itself."""


@dataclass(slots=True, eq=False)
class ExchangeCapture:
    """Notes what passes of one exchange (``observe.record.Recording``), and captures it.

    Attributes:
        context: Gets the exchange.
        record: What the proxying notes.
        site: What the rules decide by.
        content_up: Keeps the beginning of the request's content; None if that is not wanted.
        content_down: The same for the response.
    """

    context: CaptureContext
    record: Record
    site: Site
    content_up: ContentRecorder | None = field(default=None, init=False)
    content_down: ContentRecorder | None = field(default=None, init=False)
    _exchange: Exchange | None = field(default=None, init=False)
    _websocket: bool = field(default=False, init=False)
    _short: bool = field(default=True, init=False)
    """Whether a snapshot at its end is enough: nobody has seen it yet, and only heads, times and
    sizes are wanted."""
    _dial_seconds: float | None = field(default=None, init=False)
    _dialling_since: float = field(default=0.0, init=False)
    _refusal: Refuse | None = field(default=None, init=False)
    _sent_at: float = field(default=0.0, init=False)
    _sent_bytes: int = field(default=0, init=False)
    _reason: bytes = field(default=b"", init=False)

    def capture_content(self, max_bytes: int) -> ContentRecorder:
        """Keep the first ``max_bytes`` of the content of both directions, too.

        Returns:
            What has to be given the request's.
        """
        self._short = False
        self.content_up = ContentRecorder(max_bytes)
        self.content_down = ContentRecorder(max_bytes)
        return self.content_up

    # What the client gets

    def head_sent(self, sent: SentDown) -> None:
        """The response's head."""
        self.record.sent_down = sent
        # Jupyter's is passed on in the same moment.
        self._sent_at = self.record.answered_at or monotonic()
        if self._exchange is not None:
            self.show(self.record)

    def content_sent(self, data: bytes) -> None:
        """A piece of the response's content, which may explain an error."""
        self._sent_bytes += len(data)
        if self.content_down is not None:
            self.content_down.feed(data)
        if self._failed and len(self._reason) < MAX_REASON_BYTES:
            self._reason += data[: MAX_REASON_BYTES - len(self._reason)]

    @property
    def _failed(self) -> bool:
        sent = self.record.sent_down
        return sent is not None and sent[0] >= FIRST_ERROR_STATUS

    def upgraded(self, reason: bytes, fields: list[Field]) -> TunnelRecorder:
        """A 101; returns what records the messages that follow."""
        self._websocket = True
        self.record.sent_down, self._sent_at = (101, reason, tuple(fields)), monotonic()
        exchange = self.show(self.record)
        tunnel = TunnelRecorder(
            exchange,
            self.context.ring,
            self.record.head.target,
            fields,
            self.record.started_at,
            guard=self.context.guard,
            content=self.content_up is not None,
        )
        # The handshake is captured, and a WebSocket is open for hours.
        self.record.sent_down = None
        return tunnel

    # What the proxying knows

    def refused(self, record: Record, refusal: Refuse) -> None:
        """It was refused; or let through, because labgate only observes."""
        self._refusal, self._short = refusal, False

    def dialling(self, record: Record) -> None:
        """A connection to Jupyter is being opened for it."""
        self._dialling_since = monotonic()

    def dialled(self, record: Record) -> None:
        """That connection is open."""
        self._dial_seconds = (self._dial_seconds or 0.0) + monotonic() - self._dialling_since

    def show(self, record: Record) -> Exchange:
        """Put the exchange into the ring, with what is known by now."""
        self._short = False
        exchange = self._whole(self._snapshot())
        self._publish(exchange)
        return exchange

    def finish(self, record: Record) -> None:
        """The record is complete."""
        record.recording = None
        with self.context.guard:
            if self._short and not self._failed:
                del self.context.unseen[record.number]
                self.context.ring.keep(self._snapshot(record.seconds))
            elif self._websocket:
                self._finish_websocket()
            else:
                self._finish()

    def _finish(self) -> None:
        """Make the whole exchange of what somebody sees already, or will want to see."""
        exchange = self._whole(self._snapshot(self.record.seconds))
        if self.content_up is not None and exchange.sent_up is not None:
            exchange.content_up = self.content_up.captured(exchange.received)
        if self.content_down is not None and exchange.sent_down is not None:
            exchange.content_down = self.content_down.captured(exchange.sent_down)
        if self._failed or self._refusal is not None:
            # What observing let through failed for another reason.
            refusal = None if exchange.would_refuse else self._refusal
            explain_failure(exchange, self.record, refusal, self.site, self._reason)
        self._publish(exchange)

    def _finish_websocket(self) -> None:
        exchange, record = self._exchange, self.record
        assert exchange is not None, "its handshake was shown"
        exchange.open, exchange.outcome = False, record.outcome
        exchange.bytes_up, exchange.bytes_down = record.bytes_up, record.bytes_down
        exchange.times.last_octet = record.seconds
        self._publish(exchange)

    def _publish(self, exchange: Exchange) -> None:
        ring, unseen = self.context.ring, self.context.unseen
        if unseen.pop(self.record.number, None) is not None:
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
            exchange.would_refuse = not self.record.outcome.startswith("refused ")
        return exchange

    def _snapshot(self, seconds: float | None = None) -> Snapshot:
        """What is known by now; ``seconds`` is how long it took, once it has ended."""
        record = self.record
        return Snapshot(
            heads=self.context.heads.of(record),
            number=record.number,
            clock_began=self.context.clock_began,
            began=record.started_at,
            arrival=record.head.arrival,
            site=self.site,
            route=record.route,
            admitted_at=record.admitted_at,
            dial_seconds=self._dial_seconds,
            sent_up_at=record.sent_up_at,
            request_id=record.request_id,
            answered_at=record.answered_at,
            sent_down_at=self._sent_at or record.answered_at,
            outcome=record.outcome,
            bytes_up=record.bytes_up,
            # The record counts what came from Jupyter, not what labgate says itself.
            bytes_down=record.bytes_down or self._sent_bytes,
            seconds=seconds,
        )
