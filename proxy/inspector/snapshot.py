"""What is known of an exchange by now, redacted; an ``Exchange`` is made when somebody looks.

Most exchanges end well and are never looked at. What is kept of them is a plain tuple of what they
share with others, and of their numbers and times.

Tested by tests/inspector/test_recorder.py and tests/inspector/test_ring.py.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from proxy.inspector.captured_heads import CapturedHeads, id_change, id_field
from proxy.inspector.exchange import INSPECTOR, CapturedHead, Exchange, Times
from proxy.rules.head import Arrival
from proxy.rules.site import Site

SnapshotValues = tuple[
    CapturedHeads,
    int,
    float,
    float,
    Arrival,
    Site,
    str,
    float,
    float | None,
    float,
    bytes,
    float,
    float,
    str,
    int,
    int,
    float | None,
]
"""Those of a ``Snapshot``, which takes a function in Python to make."""
HEADS: Final = 0
NUMBER: Final = 1
"""The places of these attributes."""


class Snapshot(NamedTuple):
    """What ``Exchange`` has, which also says what it means.

    Attributes:
        heads: Shared by exchanges with the same heads.
        clock_began: The Unix time of the beginning of ``time.monotonic``.
        began: When the request's head was complete; this and what ends with ``_at`` is of
            ``time.monotonic``, and 0.0 for what did not happen.
        arrival: Of the client's connection; nothing that the client wrote.
        site: What the rules decided by.
        route: The name of its route, by now.
        admitted_at: When a slot and access control let the request through.
        request_id: Went up with it.
        seconds: Until its end; None while it runs.
    """

    heads: CapturedHeads
    number: int
    clock_began: float
    began: float
    arrival: Arrival
    site: Site
    route: str
    admitted_at: float
    dial_seconds: float | None
    sent_up_at: float
    request_id: bytes
    answered_at: float
    sent_down_at: float
    outcome: str
    bytes_up: int
    bytes_down: int
    seconds: float | None

    def exchange(self) -> Exchange:
        """The whole, for people."""
        heads = self.heads
        exchange = Exchange(
            started=self.clock_began + self.began,
            peer=INSPECTOR if self.arrival.sent_again else self.arrival.peer,
            method=heads.method,
            target=heads.target,
            received=heads.received,
            scheme="https" if self.site.https else "http",
            number=self.number,
            times=Times(self.arrival.tls_seconds),
        )
        self.write_to(exchange)
        return exchange

    def write_to(self, exchange: Exchange) -> None:
        """What is known by now, into the exchange that was made of it earlier."""
        heads, times, began = self.heads, exchange.times, self.began
        times.queue = self.admitted_at - began if self.admitted_at else None
        times.dial = self.dial_seconds
        if heads.sent_up is not None:
            request_id = self.request_id.decode("ascii")
            fields = (*heads.sent_up.fields[:-1], id_field(request_id))
            exchange.sent_up = CapturedHead(heads.sent_up.line, fields)
            exchange.changes_up = (*heads.changes_up[:-1], id_change(request_id))
            times.sent_up = self.sent_up_at - began
        if heads.answered is not None:
            exchange.answered = heads.answered
            times.first_octet = self.answered_at - began
        if heads.sent_down is not None:
            exchange.sent_down = heads.sent_down
            times.sent_down = self.sent_down_at - began
        exchange.changes_down = heads.changes_down
        exchange.route = self.route
        exchange.status = heads.status
        exchange.outcome = self.outcome
        exchange.bytes_up, exchange.bytes_down = self.bytes_up, self.bytes_down
        if self.seconds is not None:
            exchange.open = False
            times.last_octet = self.seconds
