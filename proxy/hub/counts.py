"""What a process counted and measures for the metrics; the sums are those of all processes.

Tested by tests/hub/test_workers.py and tests/hub/test_contract_flags.py.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Self

from proxy.hub.router import LookUps
from proxy.observe.measurements import Counts, Now, all_of
from proxy.observe.record import Record
from proxy.rules.hub_requests import HUB_HEALTH_PATH


@dataclass(slots=True)
class HubCounts:
    """Counters: they only grow.

    Attributes:
        web: Requests that are no WebSockets.
        websockets: Handshakes.
        statuses: Responses that came from a target or were an error, by status.
        look_ups: How often a route was looked up.
        look_up_seconds: How long that took in all.
    """

    web: int = 0
    websockets: int = 0
    statuses: dict[str, int] = field(default_factory=dict)
    look_ups: int = 0
    look_up_seconds: float = 0.0

    def add_all(self, other: HubCounts) -> None:
        """Add what another process has counted."""
        self.web += other.web
        self.websockets += other.websockets
        self.look_ups += other.look_ups
        self.look_up_seconds += other.look_up_seconds
        for status, number in other.statuses.items():
            self.statuses[status] = self.statuses.get(status, 0) + number


@dataclass(slots=True)
class Measured:
    """What one process counted and measures, or several.

    Attributes:
        counts: The counters of configurable-http-proxy.
        traffic: labgate's own counters, the same for all that it serves; empty without metrics.
        now: The gauges.
    """

    counts: HubCounts = field(default_factory=HubCounts)
    traffic: Counts = field(default_factory=Counts)
    now: Now = field(default_factory=Now)

    @classmethod
    def of(cls, content: dict[str, Any]) -> Self:
        """From ``dataclasses.asdict`` by way of JSON."""
        return cls(
            HubCounts(**content["counts"]), Counts.of(content["traffic"]), Now.of(content["now"])
        )

    def add(self, other: Measured) -> None:
        """Add what another process measured."""
        self.add_counts(other)
        self.now = all_of((self.now, other.now))

    def add_counts(self, other: Measured) -> None:
        """Add what another process had counted when it ended."""
        self.counts.add_all(other.counts)
        self.traffic.add_all(other.traffic)


class RequestCounter:
    """Counts requests as configurable-http-proxy does (an ``Observer``).

    Args:
        look_ups: The router's.
    """

    def __init__(self, look_ups: LookUps) -> None:
        self._counts = HubCounts()
        self._look_ups = look_ups
        self._statuses: dict[int, int] = {}

    def begun(self, record: Record) -> None:
        """A request came; tunnels drop their fields later."""
        if record.head.target == HUB_HEALTH_PATH:
            return
        if record.head.values(b"sec-websocket-version"):
            self._counts.websockets += 1
        else:
            self._counts.web += 1

    def ended(self, record: Record) -> None:
        """A request has its response."""
        if record.status and record.head.target != HUB_HEALTH_PATH:
            self._statuses[record.status] = self._statuses.get(record.status, 0) + 1

    @property
    def counts(self) -> HubCounts:
        """What was counted so far."""
        statuses = {str(status): number for status, number in self._statuses.items()}
        return HubCounts(
            self._counts.web,
            self._counts.websockets,
            statuses,
            self._look_ups.count,
            self._look_ups.seconds,
        )
