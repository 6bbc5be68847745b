"""Reads the counts and measurements of one process from its parts.

Tested by tests/web/test_metrics.py and tests/e2e/test_status.py.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from time import monotonic
from typing import TYPE_CHECKING, Protocol

from proxy.observe.loop_lag import LoopLag
from proxy.observe.measurements import Counts, Now, RouteCounts, RouteNow, sum_of
from proxy.observe.traffic import Traffic
from proxy.proxying.open_requests import OpenRequests
from proxy.proxying.pool import Pool
from proxy.proxying.router import Router
from proxy.runtime.resident_memory import resident_bytes

if TYPE_CHECKING:
    from proxy.access.lockout import Lockout


class MeasuredRoute(Protocol):
    """A route, as far as it is measured."""

    @property
    def name(self) -> str:
        """Its name in metrics."""

    @property
    def router(self) -> Router:
        """Its router, which has the cache."""

    @property
    def pool(self) -> Pool:
        """The connections to its Jupyter."""

    @property
    def open_requests(self) -> OpenRequests:
        """Its requests in progress."""

    @property
    def traffic(self) -> Traffic | None:
        """Counts requests; None where there are no metrics."""


class Measures:
    """The measurements of an ``Application``.

    Args:
        routes: Those that there are now.
        lockout: Who is locked out.
        refused_heads: How many requests were refused before there was a head, by rule and status:
            they belong to no route.
        lag: Whether to measure the event loop, for metrics.
    """

    def __init__(
        self,
        routes: Callable[[], Iterable[MeasuredRoute]],
        lockout: Lockout,
        *,
        refused_heads: Callable[[], Mapping[tuple[str, int], int]] = dict,
        lag: bool,
    ) -> None:
        self._routes = routes
        self._refused_heads = refused_heads
        self._lockout = lockout
        self._measures_lag = lag
        self._lag = LoopLag()
        self._ended = Counts()

    def start(self) -> None:
        """Measure the event loop, if there are metrics."""
        if self._measures_lag:
            self._lag.start()

    def stop(self) -> None:
        """Stop measuring the event loop."""
        self._lag.stop()

    def ended(self, route: MeasuredRoute) -> None:
        """Keep the counts of a route that ends."""
        self._ended.add_all(_counts_of(route))
        self._ended.routes.pop(route.name, None)

    def now(self, connections: int) -> Now:
        """The gauges.

        Args:
            connections: Open ones of clients.
        """
        routes: dict[str, RouteNow] = {}
        files = cached_bytes = 0
        for route in self._routes():
            routes.setdefault(route.name, RouteNow()).add(_now_of(route))
            if (cache := route.router.jupyter.cache) is not None:
                files += len(cache.files)
                cached_bytes += cache.files.size_bytes
        total = RouteNow()
        for one in routes.values():
            total.add(one)
        return Now(
            connections=connections,
            websockets=total.websockets,
            requests=total.requests,
            idle_connections=total.idle_connections,
            busy_connections=total.busy_connections,
            locked_out=len(self._lockout.locked_out(monotonic())),
            memory_bytes=resident_bytes(os.getpid()),
            loop_lag_seconds=self._lag.seconds,
            cached_files=files,
            cached_bytes=cached_bytes,
            routes=routes,
        )

    def counts(self) -> Counts:
        """The counters; without metrics only of requests that were refused without a head."""
        counts = sum_of([self._ended, *map(_counts_of, self._routes())])
        counts.add_refused_heads(self._refused_heads())
        counts.lockouts = self._lockout.caused
        return counts


def _now_of(route: MeasuredRoute) -> RouteNow:
    websockets, pool = len(route.open_requests.tunnels), route.pool
    return RouteNow(
        websockets=websockets,
        requests=route.open_requests.count - websockets,
        idle_connections=pool.idle,
        busy_connections=pool.connections - pool.idle,
    )


def traffic_counts(traffic: Traffic | None, open_requests: OpenRequests) -> Counts:
    """What was counted of requests, and what open WebSockets have carried up to now."""
    counts = sum_of([] if traffic is None else [traffic.counts])
    for tunnel in open_requests.tunnels:
        counts.bytes_up += tunnel.bytes_up
        counts.bytes_down += tunnel.bytes_down
    return counts


def _counts_of(route: MeasuredRoute) -> Counts:
    counts = traffic_counts(route.traffic, route.open_requests)
    if (cache := route.router.jupyter.cache) is not None:
        counts.cache_hits, counts.cache_saved_bytes = cache.hits, cache.saved_bytes
    counts.routes = {
        route.name: RouteCounts(dict(counts.requests), counts.bytes_up, counts.bytes_down)
    }
    return counts
