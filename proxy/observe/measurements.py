"""What the metrics count and measure in one process, and the sum over several; pure.

A worker sends its measurements to the supervisor as JSON.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

BUCKETS_SECONDS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""The upper bounds of a histogram. Half of labgate's own times are below a millisecond."""


@dataclass(slots=True)
class Histogram:
    """A histogram of durations.

    Attributes:
        counts: For each of ``BUCKETS_SECONDS`` how many took at most so long, and more than the
            bound before; the last one counts those above all bounds.
        total_seconds: All times together.
    """

    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))
    total_seconds: float = 0.0

    def add(self, times: list[float]) -> None:
        """Count some times, in seconds; sorts the list.

        Many at once, because sorted ones need one search for each bound and not for each time.
        """
        times.sort()
        before = 0
        for index, bound in enumerate(BUCKETS_SECONDS):
            upto = bisect_right(times, bound, before)
            self.counts[index] += upto - before
            before = upto
        self.counts[-1] += len(times) - before
        self.total_seconds += sum(times)

    def cumulative(self) -> list[tuple[str, float]]:
        """The buckets in Prometheus' form: each bound with the number of times up to it."""
        buckets, upto = [], 0
        for bound, count in zip((*BUCKETS_SECONDS, None), self.counts, strict=True):
            upto += count
            buckets.append(("+Inf" if bound is None else repr(bound), float(upto)))
        return buckets

    def add_all(self, other: Histogram) -> None:
        """Add what another one has counted."""
        self.counts = [one + more for one, more in zip(self.counts, other.counts, strict=True)]
        self.total_seconds += other.total_seconds


@dataclass(slots=True)
class RouteCounts:
    """The counters of one route; the attributes are those of ``Counts``."""

    requests: dict[str, int] = field(default_factory=dict)
    bytes_up: int = 0
    bytes_down: int = 0

    def add_all(self, other: RouteCounts) -> None:
        """Add what another process has counted."""
        for name, number in other.requests.items():
            self.requests[name] = self.requests.get(name, 0) + number
        self.bytes_up += other.bytes_up
        self.bytes_down += other.bytes_down


@dataclass(slots=True)
class Counts:
    """Counters: they only grow.

    Attributes:
        requests: Finished requests, by outcome and class of status: ``forwarded 2xx``.
        refusals: Refused requests, by rule.
        bytes_up: Content from clients; all bytes of WebSockets.
        bytes_down: Content to clients; all bytes of WebSockets.
        lockouts: Addresses that were locked out.
        cache_hits: Requests for static files that Jupyter was not asked about.
        cache_saved_bytes: How many fewer bytes their clients got than Jupyter would have sent.
        whole: From a request's head to the end of its response.
        own: Labgate's part of it: until the request goes up, or is answered here.
        jupyter: Jupyter's part: from the end of the request to the head of the response.
        routes: Part of it, by the names of the routes.
    """

    requests: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    bytes_up: int = 0
    bytes_down: int = 0
    lockouts: int = 0
    cache_hits: int = 0
    cache_saved_bytes: int = 0
    whole: Histogram = field(default_factory=Histogram)
    own: Histogram = field(default_factory=Histogram)
    jupyter: Histogram = field(default_factory=Histogram)
    routes: dict[str, RouteCounts] = field(default_factory=dict)

    @classmethod
    def of(cls, content: dict[str, Any]) -> Self:
        """From ``dataclasses.asdict`` by way of JSON."""
        counts = cls(**content)
        for name in ("whole", "own", "jupyter"):
            setattr(counts, name, Histogram(**content[name]))
        counts.routes = {name: RouteCounts(**one) for name, one in content["routes"].items()}
        return counts

    def add_refused_heads(self, numbers: Mapping[tuple[str, int], int]) -> None:
        """Add requests that were refused before there was a head, by rule and status."""
        for (rule, status), number in numbers.items():
            name = f"refused {status // 100}xx"
            self.requests[name] = self.requests.get(name, 0) + number
            self.refusals[rule] = self.refusals.get(rule, 0) + number

    def add_all(self, other: Counts) -> None:
        """Add what another process has counted."""
        for numbers, others in ((self.requests, other.requests), (self.refusals, other.refusals)):
            for name, number in others.items():
                numbers[name] = numbers.get(name, 0) + number
        self.bytes_up += other.bytes_up
        self.bytes_down += other.bytes_down
        self.lockouts += other.lockouts
        self.cache_hits += other.cache_hits
        self.cache_saved_bytes += other.cache_saved_bytes
        for one, more in (
            (self.whole, other.whole),
            (self.own, other.own),
            (self.jupyter, other.jupyter),
        ):
            one.add_all(more)
        for name, route in other.routes.items():
            self.routes.setdefault(name, RouteCounts()).add_all(route)


@dataclass(slots=True)
class RouteNow:
    """The gauges of one route; the attributes are those of ``Now``."""

    websockets: int = 0
    requests: int = 0
    idle_connections: int = 0
    busy_connections: int = 0

    def add(self, other: RouteNow) -> None:
        """Add those of another process."""
        self.websockets += other.websockets
        self.requests += other.requests
        self.idle_connections += other.idle_connections
        self.busy_connections += other.busy_connections


@dataclass(frozen=True, slots=True)
class Now:
    """Gauges: they go up and down.

    Attributes:
        connections: Open connections of clients.
        websockets: Open WebSockets.
        requests: Requests without a complete response, WebSockets not counted.
        idle_connections: Connections to Jupyter that wait for a request.
        busy_connections: Connections to Jupyter that carry one, WebSockets not counted.
        locked_out: Addresses that are locked out.
        memory_bytes: Resident memory.
        loop_lag_seconds: The longest delay of the event loop within the last minute.
        cached_files: Static files that are kept in memory; each worker has its own.
        cached_bytes: What they take.
        routes: Part of it, by the names of the routes.
    """

    connections: int = 0
    websockets: int = 0
    requests: int = 0
    idle_connections: int = 0
    busy_connections: int = 0
    locked_out: int = 0
    memory_bytes: int = 0
    loop_lag_seconds: float = 0.0
    cached_files: int = 0
    cached_bytes: int = 0
    routes: dict[str, RouteNow] = field(default_factory=dict)

    @classmethod
    def of(cls, content: dict[str, Any]) -> Self:
        """From ``dataclasses.asdict`` by way of JSON."""
        routes = {name: RouteNow(**one) for name, one in content["routes"].items()}
        return cls(**content | {"routes": routes})


def sum_of(counted: Iterable[Counts]) -> Counts:
    """The sum over processes."""
    total = Counts()
    for counts in counted:
        total.add_all(counts)
    return total


def all_of(processes: Iterable[Now]) -> Now:
    """The gauges over processes: the sums, but the maximum of the delays.

    Each worker knows of every lockout.
    """
    each = list(processes)
    routes: dict[str, RouteNow] = {}
    for one in each:
        for name, route in one.routes.items():
            routes.setdefault(name, RouteNow()).add(route)
    return Now(
        connections=sum(one.connections for one in each),
        websockets=sum(one.websockets for one in each),
        requests=sum(one.requests for one in each),
        idle_connections=sum(one.idle_connections for one in each),
        busy_connections=sum(one.busy_connections for one in each),
        locked_out=max((one.locked_out for one in each), default=0),
        memory_bytes=sum(one.memory_bytes for one in each),
        loop_lag_seconds=max((one.loop_lag_seconds for one in each), default=0.0),
        cached_files=sum(one.cached_files for one in each),
        cached_bytes=sum(one.cached_bytes for one in each),
        routes=routes,
    )
