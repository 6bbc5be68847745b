"""What is captured of one exchange, and when the ring gets it.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from time import monotonic

from proxy.inspector.captured_heads import HeadCaptures, SentDown
from proxy.inspector.exchange import Exchange
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


@dataclass(slots=True)
class CaptureContext:
    """What the captures of all exchanges share.

    Attributes:
        ring: Gets the exchanges.
        guard: Everything that is done for the capture alone is done in it.
        heads: Captures heads.
        unseen: The captures of open exchanges that the ring does not have yet.
        clock_began: The Unix time of the beginning of ``time.monotonic``, as the system's clock is
            set now.
    """

    ring: Ring
    guard: Guard = field(default_factory=Guard)
    heads: HeadCaptures = field(default_factory=HeadCaptures)
    unseen: set[ExchangeCapture] = field(default_factory=set)
    clock_began: float = 0.0


@dataclass(slots=True, eq=False)
class ExchangeCapture:
    """Notes what passes of one exchange (``observe.record.Recording``), and captures it in the end.

    Attributes:
        context: Gets the exchange.
        record: What the proxying notes.
        site: What the rules decide by.
        responder: The front's.
        number: Its own in the ring.
        content_up: Keeps the beginning of the request's content; None if that is not wanted.
        content_down: The same for the response.
    """

    context: CaptureContext
    record: Record
    site: Site
    responder: Responder
    number: int
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
    _status: int = field(default=0, init=False)
    _sent: SentDown | None = field(default=None, init=False)
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

    def content_sent(self, data: bytes) -> None:
        """A piece of the response's content that is kept, or explains an error."""
        if self.content_down is not None:
            self.content_down.feed(data)
        if self._status >= FIRST_ERROR_STATUS and len(self._reason) < MAX_REASON_BYTES:
            self._reason += data[:MAX_REASON_BYTES]

    def upgraded(self, reason: bytes, fields: list[Field]) -> TunnelRecorder:
        """A 101; returns what records the messages that follow."""
        self._websocket = True
        self._status, self._sent, self._sent_at = 101, (101, reason, fields), monotonic()
        exchange = self.show()
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
        self._sent = None
        return tunnel

    # What the proxying knows

    def refused(self, refusal: Refuse) -> None:
        """It was refused; or let through, because labgate only observes."""
        self._refusal, self._short = refusal, False

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
        context = self.context
        try:
            if self._short and self._status < FIRST_ERROR_STATUS:
                context.unseen.discard(self)
                context.ring.keep(self._snapshot(self.record.seconds))
            else:
                self._finish()
        except Exception as error:
            context.guard.caught(error)
        # Break the reference cycle.
        self.record.recording = None

    def _finish(self) -> None:
        """Make the whole exchange of what somebody sees already, or will want to see."""
        if self._websocket:
            self._finish_websocket()
            return
        exchange = self._whole(self._snapshot(self.record.seconds))
        if self.content_up is not None and exchange.sent_up is not None:
            exchange.content_up = self.content_up.captured(exchange.received)
        if self.content_down is not None and exchange.sent_down is not None:
            exchange.content_down = self.content_down.captured(exchange.sent_down)
        if self._status >= FIRST_ERROR_STATUS or self._refusal is not None:
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
            exchange.would_refuse = not self.record.outcome.startswith("refused ")
        return exchange

    def _snapshot(self, seconds: float | None = None) -> Snapshot:
        """What is known by now; ``seconds`` is how long it took, once it has ended."""
        context, record = self.context, self.record
        heads = context.heads.of(record, self._sent)
        # Not by its own constructor, which is a function in Python.
        return tuple.__new__(
            Snapshot,
            (
                heads,
                self.number,
                context.clock_began,
                record.started_at,
                record.head.arrival,
                self.site,
                record.route,
                record.admitted_at,
                self._dial_seconds,
                record.sent_up_at,
                record.request_id,
                record.answered_at,
                self._status,
                self._sent_at,
                record.outcome,
                record.bytes_up,
                # The record counts what came from Jupyter, not what labgate says itself.
                record.bytes_down or self._sent_bytes,
                seconds,
                heads.octets + 2 * len(record.request_id),
            ),
        )
