"""What is known of an exchange by now, redacted; its texts are made when somebody looks.

Most exchanges end well and are never looked at. What is kept of them are references to what they
share with others. Tested by tests/inspector/test_recorder.py and tests/inspector/test_ring.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from proxy.inspector.exchange import (
    CapturedChange,
    CapturedHead,
    Exchange,
    Pair,
    Times,
    octets_of,
)
from proxy.rules.head import Arrival
from proxy.rules.redaction import printable
from proxy.rules.request_id import FIELD
from proxy.rules.site import Site

_ID = FIELD.decode("ascii")


@dataclass(frozen=True, slots=True)
class SentUp:
    """What goes up of one field section, but for the request's id.

    Attributes:
        fields: The fields.
        changes: What the rules did.
        octets: About what both hold in memory, with the id's field and its change.
    """

    fields: tuple[Pair, ...]
    changes: tuple[CapturedChange, ...]
    octets: int


def sent_up(fields: tuple[Pair, ...], changes: tuple[CapturedChange, ...]) -> SentUp:
    """What goes up, with what it weighs."""
    of_id = octets_of(((_ID, ""),)) + _change_of_id("").octets
    octets = octets_of(fields) + sum([change.octets for change in changes])
    return SentUp(fields, changes, octets + of_id)


def _change_of_id(request_id: str) -> CapturedChange:
    return CapturedChange("request-id", _ID, None, request_id)


class Snapshot(NamedTuple):
    """What ``Exchange`` has, which also says what it means.

    Attributes:
        began: When the request's head was complete; this and what ends with ``_at`` is of
            ``time.monotonic``, and 0.0 for what did not happen.
        arrival: Of the client's connection; nothing that the client wrote.
        method: A word without a secret; this and the request's version are not text yet.
        fields: Those of the request as it came.
        site: What the rules decided by.
        route: The name of its route, by now.
        admitted_at: When a slot and access control let the request through.
        sent_up: What went up; None if nothing did.
        target_up: The request target that went up: a route may strip a prefix, or add one.
        request_id: Went up with it.
        octets: About what it holds in memory when somebody looks at it.
    """

    number: int
    started: float
    began: float
    arrival: Arrival
    method: bytes
    target: str
    version: tuple[int, int]
    fields: tuple[Pair, ...]
    site: Site
    route: str
    admitted_at: float
    dial_seconds: float | None
    sent_up: SentUp | None
    target_up: str
    sent_up_at: float
    request_id: bytes
    answered: CapturedHead | None
    answered_at: float
    status: int
    sent_down: CapturedHead | None
    sent_down_at: float
    changes_down: tuple[CapturedChange, ...]
    outcome: str
    bytes_up: int
    bytes_down: int
    ended_at: float
    octets: int

    def exchange(self) -> Exchange:
        """The whole, for people."""
        major, minor = self.version
        method = printable(self.method)
        line = f"{method} {self.target} HTTP/{major}.{minor}"
        exchange = Exchange(
            started=self.started,
            peer=self.arrival.peer,
            method=method,
            target=self.target,
            received=CapturedHead(line, self.fields),
            scheme="https" if self.site.https else "http",
            number=self.number,
            times=Times(self.arrival.tls_seconds),
        )
        self.write_to(exchange)
        return exchange

    def write_to(self, exchange: Exchange) -> None:
        """What is known by now, into the exchange that was made of it earlier."""
        times, began = exchange.times, self.began
        times.queue = self.admitted_at - began if self.admitted_at else None
        times.dial = self.dial_seconds
        if self.sent_up is not None:
            name_and_id = (_ID, self.request_id.decode("ascii"))
            exchange.sent_up = CapturedHead(
                f"{exchange.method} {self.target_up} HTTP/1.1", (*self.sent_up.fields, name_and_id)
            )
            exchange.changes_up = (*self.sent_up.changes, _change_of_id(name_and_id[1]))
            times.sent_up = self.sent_up_at - began
        if self.answered is not None:
            exchange.answered = self.answered
            times.first_octet = self.answered_at - began
        if self.sent_down is not None:
            exchange.sent_down = self.sent_down
            times.sent_down = self.sent_down_at - began
        exchange.route = self.route
        exchange.status = self.status
        exchange.changes_down = self.changes_down
        exchange.outcome = self.outcome
        exchange.bytes_up, exchange.bytes_down = self.bytes_up, self.bytes_down
        if self.ended_at:
            exchange.open = False
            times.last_octet = self.ended_at - began
