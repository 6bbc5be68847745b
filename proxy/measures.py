"""What one process counts and measures, read from its parts.

Tested by tests/web/test_metrics.py and tests/e2e/test_status.py.
"""

from __future__ import annotations

import os
from time import monotonic

from proxy.access.lockout import Lockout
from proxy.observe.loop_lag import LoopLag
from proxy.observe.measurements import Counts, Now, sum_of
from proxy.observe.traffic import Traffic
from proxy.proxying.open_requests import OpenRequests
from proxy.proxying.pool import Pool
from proxy.proxying.router import Router
from proxy.runtime.resident_memory import resident_bytes


class Measures:
    """The measurements of an ``Application``.

    Args:
        router: Has the cache.
        lockout: Who is locked out.
        pool: The connections to Jupyter.
        open_requests: Those of all listeners.
        traffic: Counts requests; None where there are no metrics.
    """

    def __init__(
        self,
        router: Router,
        lockout: Lockout,
        pool: Pool,
        open_requests: OpenRequests,
        traffic: Traffic | None,
    ) -> None:
        self._router = router
        self._lockout = lockout
        self._pool = pool
        self._open_requests = open_requests
        self._traffic = traffic
        self._lag = LoopLag()

    def start(self) -> None:
        """Measure the event loop, if there are metrics."""
        if self._traffic is not None:
            self._lag.start()

    def stop(self) -> None:
        """Measure it no more."""
        self._lag.stop()

    def now(self, connections: int) -> Now:
        """What goes up and down.

        Args:
            connections: Open ones of clients.
        """
        cache, websockets = self._router.jupyter.cache, len(self._open_requests.tunnels)
        return Now(
            connections=connections,
            websockets=websockets,
            requests=self._open_requests.count - websockets,
            idle_connections=self._pool.idle,
            busy_connections=self._pool.connections - self._pool.idle,
            locked_out=len(self._lockout.locked_out(monotonic())),
            memory_bytes=resident_bytes(os.getpid()),
            loop_lag_seconds=self._lag.seconds,
            cached_files=len(cache.files) if cache is not None else 0,
            cached_bytes=cache.files.size_bytes if cache is not None else 0,
        )

    def counts(self) -> Counts:
        """What only grows; nothing where there are no metrics."""
        counts = sum_of([] if self._traffic is None else [self._traffic.counts])
        for tunnel in self._open_requests.tunnels:
            counts.bytes_up += tunnel.bytes_up
            counts.bytes_down += tunnel.bytes_down
        counts.lockouts = self._lockout.caused
        if (cache := self._router.jupyter.cache) is not None:
            counts.cache_hits, counts.cache_saved_bytes = cache.hits, cache.saved_bytes
        return counts
