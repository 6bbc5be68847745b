"""How late the event loop is: the delay that every client has."""

from __future__ import annotations

import asyncio
from collections import deque

INTERVAL_SECONDS = 0.5
MAX_DELAYS = 120
"""Measurements of one minute: a scrape every 15 s or 30 s misses none."""


class LoopLag:
    """Measures how much later than asked for a timer is called."""

    def __init__(self) -> None:
        self._delays: deque[float] = deque(maxlen=MAX_DELAYS)
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Measure from now on."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_at(loop.time() + INTERVAL_SECONDS, self._measure)

    def stop(self) -> None:
        """Measure no more."""
        if self._timer is not None:
            self._timer.cancel()

    @property
    def seconds(self) -> float:
        """The longest delay within the last minute."""
        return max(self._delays, default=0.0)

    def _measure(self) -> None:
        assert self._timer is not None, "it calls this"
        loop = asyncio.get_running_loop()
        self._delays.append(max(0.0, loop.time() - self._timer.when()))
        self.start()
