"""What the inspector knows of one exchange: text only, secrets redacted before it is made.

Tested by tests/inspector/test_recorder.py and tests/inspector/test_ring.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

_OBJECT_OCTETS = 1800
"""What an exchange weighs beside its texts, about."""
_PAIR_OCTETS = 150
"""What a field weighs beside its texts, about; those that repeat are shared and weigh less."""

READ_IN = "read from an archive"
"""The outcome of an exchange that did not pass here."""

INSPECTOR = "the inspector"
"""Stands for the client's address in an exchange that the inspector sent itself."""

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

    @property
    def octets(self) -> int:
        """About what its fields hold in memory."""
        return sum([_PAIR_OCTETS + len(name) + len(value) for name, value in self.fields])


@dataclass(slots=True)
class CapturedChange:
    """What one rule did to one field; ``before`` is None if it was added, ``after`` if removed."""

    rule: str
    name: str
    before: str | None
    after: str | None

    @property
    def octets(self) -> int:
        """About what it holds in memory."""
        return _PAIR_OCTETS + len(self.name) + len(self.before or "") + len(self.after or "")


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
        route: The name of its route where there are several; empty for none.
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
    route: str = ""
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
            "route": self.route,
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
        # By hand, because asdict takes fifty times as long, and workers send every exchange.
        details: dict[str, Any] = {name: getattr(self, name) for name in _PLAIN}
        for name in ("received", "sent_up", "answered", "sent_down"):
            head: CapturedHead | None = getattr(self, name)
            details[name] = head and {"line": head.line, "fields": head.fields}
        for name in ("changes_up", "changes_down"):
            details[name] = tuple(
                {
                    "rule": one.rule,
                    "name": one.name,
                    "before": one.before,
                    "after": one.after,
                }
                for one in getattr(self, name)
            )
        for name in ("content_up", "content_down"):
            content: CapturedContent | None = getattr(self, name)
            details[name] = content and asdict(content)
        details["messages"] = [asdict(message) for message in self.messages]
        details["times"] = asdict(self.times)
        return details

    @property
    def octets(self) -> int:
        """About what it holds in memory."""
        heads = (self.received, self.sent_up, self.answered, self.sent_down)
        total = octets_of_heads(self.target, heads, (*self.changes_up, *self.changes_down))
        total += len(self.explanation) + len(self.reason)
        for content in (self.content_up, self.content_down):
            if content is not None:
                total += len(content.text)
        if not self.messages:
            return total
        return total + sum(message.weight for message in self.messages)


_STRUCTURED = frozenset(
    {
        *("received", "sent_up", "answered", "sent_down", "changes_up", "changes_down"),
        *("content_up", "content_down", "messages", "times"),
    }
)
_PLAIN = tuple(one.name for one in fields(Exchange) if one.name not in _STRUCTURED)
"""The attributes of an exchange that JSON takes as they are."""


def octets_of_heads(
    target: str, heads: Iterable[CapturedHead | None], changes: Iterable[CapturedChange]
) -> int:
    """About what an exchange with these heads holds in memory."""
    # The target stands in both request lines, too.
    total = _OBJECT_OCTETS + 3 * len(target)
    total += sum([head.octets for head in heads if head is not None])
    return total + sum([change.octets for change in changes])
