"""A WebSocket that was open before the capture was switched on: its octets are counted only.

Its handshake has passed, and in the middle of a stream no frame can be told from another.
Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from time import monotonic, time
from typing import Protocol

from proxy.inspector.captured_text import captured_target
from proxy.inspector.exchange import CapturedHead, Exchange
from proxy.inspector.guard import Guard
from proxy.inspector.ring import Ring
from proxy.messages import Responder
from proxy.observe.record import Record
from proxy.rules.decision import Refuse
from proxy.rules.redaction import printable
from proxy.rules.site import Site

OPEN_BEFORE = "open before the capture: octets only"


class ByteCounts(Protocol):
    """What counts the octets of an open WebSocket, handshakes left out."""

    bytes_up: int
    bytes_down: int


class CountedTunnel:
    """Counts for one exchange (``observe.record.Recording``).

    Attributes:
        exchange: What is known of it.
    """

    watching = False

    def __init__(
        self, ring: Ring, guard: Guard, tunnel: ByteCounts, record: Record, site: Site
    ) -> None:
        self._ring = ring
        self._guard = guard
        self._tunnel = tunnel
        self._record = record
        self._began = monotonic()
        head = record.head
        target = captured_target(head.target)
        method = printable(head.method)
        self.exchange = Exchange(
            started=time(),
            peer=head.arrival.peer,
            method=method,
            target=target,
            received=CapturedHead(f"{method} {target} HTTP/1.1", ()),
            scheme="https" if site.https else "http",
            route=record.route,
            status=101,
            outcome=OPEN_BEFORE,
            websocket=True,
        )
        ring.add(self.exchange)

    def watch(self, record: Record, responder: Responder) -> Responder:
        """Its response has passed."""
        return responder

    def refused(self, record: Record, refusal: Refuse) -> None:
        """It was not."""

    def dialling(self, record: Record) -> None:
        """Nothing is dialled for it any more."""

    def dialled(self, record: Record) -> None:
        """Nothing was."""

    def count(self) -> None:
        """Read the octets."""
        exchange, tunnel = self.exchange, self._tunnel
        counted = (tunnel.bytes_up, tunnel.bytes_down)
        if counted != (exchange.bytes_up, exchange.bytes_down):
            exchange.bytes_up, exchange.bytes_down = counted
            self._ring.grow(exchange, 0)

    def show(self, record: Record) -> None:
        """It is shown."""

    def finish(self, record: Record) -> None:
        record.recording = None
        with self._guard:
            self._finish()

    def _finish(self) -> None:
        self.count()
        self.exchange.open = False
        self.exchange.times.last_octet = monotonic() - self._began
        self._ring.update(self.exchange)
