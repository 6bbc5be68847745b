"""What the inspector knows of one exchange: text only, secrets redacted before it is made.

Tested by tests/inspector/test_recorder.py and tests/inspector/test_ring.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, TypeVar

from proxy.rules.changes import Change
from proxy.rules.head import Field
from proxy.rules.redaction import printable, redact

MAX_VALUE_CHARACTERS = 4096
MAX_REMEMBERED = 4096
"""Fields, and changes, that repeat."""
MAX_REMEMBERED_CHARACTERS = 1024
"""Of the value of one of them."""
_OBJECT_OCTETS = 1800
"""What an exchange weighs beside its texts, about."""
_FIELD_OCTETS = 250
"""What a field weighs, about; those that repeat are shared and weigh less."""

Pair = tuple[str, str]


@dataclass(slots=True)
class CapturedHead:
    """A head as it passed one of the four places: from and to the client, to and from Jupyter.

    Attributes:
        line: The request line or the status line.
        fields: Names and values in their order.
    """

    line: str
    fields: tuple[Pair, ...]

    def value(self, name: str) -> str:
        """The first value of a field (lower-case name); empty without one."""
        return next((value for key, value in self.fields if key.lower() == name), "")


@dataclass(slots=True)
class CapturedChange:
    """What one rule did to one field; ``before`` is None if it was added, ``after`` if removed."""

    rule: str
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class CapturedContent:
    """The beginning of some content, when content is captured at all.

    Attributes:
        text: As it may be shown; empty for what is no text.
        octets: How many passed.
        whole: Whether ``text`` is all of it.
    """

    text: str
    octets: int
    whole: bool


@dataclass(frozen=True, slots=True)
class CapturedMessage:
    """A WebSocket message.

    Attributes:
        at: Seconds since the exchange began.
        up: Whether the client sent it.
        kind: ``text``, ``binary``, ``close``, ``ping``, ``pong``.
        frames: How many frames it came in.
        octets: Its payload's, as they passed.
        close_code: Of a close frame; 0 without one.
        words: A kernel message's channel and type.
        text: Its content, when that is captured.
    """

    at: float
    up: bool
    kind: str
    frames: int
    octets: int
    close_code: int = 0
    words: str = ""
    text: str = ""

    @property
    def weight(self) -> int:
        """About the octets that it holds in memory."""
        return 200 + len(self.words) + len(self.text)


@dataclass(slots=True)
class Times:
    """Seconds since the request's head was complete; None for what did not happen.

    Attributes:
        tls: How long the TLS handshake of the client's connection took, once for all of its
            exchanges; that was before.
        queue: A slot and access control let the request through.
        dial: How long a connection to Jupyter took to open; None when one was at hand.
        sent_up: The request went to Jupyter.
        first_octet: The response's head came from Jupyter.
        sent_down: The response's head went to the client.
        last_octet: The response was complete.
    """

    tls: float | None = None
    queue: float | None = None
    dial: float | None = None
    sent_up: float | None = None
    first_octet: float | None = None
    sent_down: float | None = None
    last_octet: float | None = None


@dataclass(slots=True)
class Exchange:
    """One request and its response, or a WebSocket; completed while it runs.

    Attributes:
        number: Its place in the ring, ascending; 0 until it has one.
        started: Unix time in seconds.
        peer: The client's address.
        method: The request's method.
        target: The request target.
        received: The request head as the client sent it.
        scheme: ``https`` or ``http``, as the client sees it.
        sent_up: The request head as Jupyter received it.
        answered: The response head as Jupyter sent it.
        sent_down: The response head as the client received it.
        status: The response's status; 0 without one.
        outcome: As in the access log.
        rule: The rule that refused it, or would have refused it in observe mode.
        reason: Why: the field and its value, the sentence.
        would_refuse: Observe mode let through what ``rule`` refuses.
        explanation: Why Jupyter answered with an error, and the mend; by ``symptom``.
        symptom: The identifier in ``proxy.symptoms``.
        bytes_up: Octets of content from the client, or of a WebSocket.
        bytes_down: The same to the client.
        messages: The latest messages of a WebSocket.
        messages_dropped: How many earlier ones were dropped.
        open: Whether it still runs.
    """

    started: float
    peer: str
    method: str
    target: str
    received: CapturedHead
    scheme: str = "https"
    number: int = 0
    sent_up: CapturedHead | None = None
    answered: CapturedHead | None = None
    sent_down: CapturedHead | None = None
    changes_up: tuple[CapturedChange, ...] = ()
    changes_down: tuple[CapturedChange, ...] = ()
    status: int = 0
    outcome: str = ""
    rule: str = ""
    reason: str = ""
    would_refuse: bool = False
    symptom: str = ""
    explanation: str = ""
    bytes_up: int = 0
    bytes_down: int = 0
    times: Times = field(default_factory=Times)
    content_up: CapturedContent | None = None
    content_down: CapturedContent | None = None
    websocket: bool = False
    messages: list[CapturedMessage] = field(default_factory=list)
    messages_dropped: int = 0
    open: bool = True

    @property
    def url(self) -> str:
        """The address that the client asked for."""
        if not self.target.startswith("/"):
            return self.target
        return f"{self.scheme}://{self.received.value('host') or 'unknown'}{self.target}"

    def summary(self) -> dict[str, Any]:
        """What a list shows of it, for JSON."""
        return {
            "number": self.number,
            "started": self.started,
            "peer": self.peer,
            "method": self.method,
            "target": self.target,
            "status": self.status,
            "outcome": self.outcome,
            "rule": self.rule,
            "would_refuse": self.would_refuse,
            "symptom": self.symptom,
            "websocket": self.websocket,
            "messages": len(self.messages) + self.messages_dropped,
            "bytes_up": self.bytes_up,
            "bytes_down": self.bytes_down,
            "seconds": self.times.last_octet,
            "open": self.open,
        }

    def details(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return asdict(self)

    @property
    def octets(self) -> int:
        """About what it holds in memory."""
        total = _OBJECT_OCTETS + len(self.target) + len(self.explanation) + len(self.reason)
        fields = len(self.received.fields) + len(self.changes_up) + len(self.changes_down)
        for head in (self.sent_up, self.answered, self.sent_down):
            if head is not None:
                fields += len(head.fields)
        total += _FIELD_OCTETS * fields
        for content in (self.content_up, self.content_down):
            if content is not None:
                total += len(content.text)
        if not self.messages:
            return total
        return total + sum(message.weight for message in self.messages)


def captured_fields(fields: Iterable[Field]) -> tuple[Pair, ...]:
    """Fields as text, redacted."""
    known = _fields
    return tuple([known.get(hash(field)) or captured_field(field) for field in fields])


def captured_section(fields: tuple[Field, ...]) -> tuple[Pair, ...]:
    """The same for a section that may repeat as a whole, as that of responses to one client."""
    key = hash(fields)
    section = _sections.get(key)
    if section is None:
        section = captured_fields(fields)
        if sum([len(value) for _, value in section]) <= MAX_REMEMBERED_CHARACTERS:
            _remember(_sections, key, section)
    return section


def captured_field(field: Field) -> Pair:
    """One field as text, redacted; remembered for the next time that it comes."""
    name, value = field
    pair = printable(name), captured_value(name, value)
    if len(pair[1]) <= MAX_REMEMBERED_CHARACTERS:
        _remember(_fields, hash(field), pair)
    return pair


Value = TypeVar("Value")


def _remember(known: dict[int, Value], key: int, value: Value) -> None:
    if len(known) >= MAX_REMEMBERED:
        known.clear()
    known[key] = value


_fields: dict[int, Pair] = {}
_sections: dict[int, tuple[Pair, ...]] = {}
_changes: dict[int, CapturedChange] = {}
"""What was captured of fields and changes that repeat from exchange to exchange, by their hash.

Most of the capture's time would go into redacting the same fields again. They themselves hold
secrets and are not kept; their hashes are keyed by the process, and of 64 bits.
"""


def captured_value(name: bytes, value: bytes) -> str:
    """A field's value as text, redacted."""
    return printable(redact(name, value), MAX_VALUE_CHARACTERS)


def captured_changes(changes: Sequence[Change]) -> tuple[CapturedChange, ...]:
    """What the rules did, as text, redacted."""
    known = _changes
    return tuple([known.get(hash(change)) or _captured_change(change) for change in changes])


def _captured_change(change: Change) -> CapturedChange:
    rule, name, before, after = change
    captured = CapturedChange(
        rule,
        printable(name),
        None if before is None else captured_value(name, before),
        None if after is None else captured_value(name, after),
    )
    if len(captured.before or "") + len(captured.after or "") <= MAX_REMEMBERED_CHARACTERS:
        _remember(_changes, hash(change), captured)
    return captured
