"""Limits log lines about frequent events."""

from __future__ import annotations

LINE_INTERVAL_SECONDS = 10.0


class LogThrottle:
    """Allows one line in ``LINE_INTERVAL_SECONDS``, and counts the suppressed ones."""

    def __init__(self) -> None:
        self._next = float("-inf")
        self._held_back = 0

    def due(self, now: float) -> int | None:
        """The number of suppressed lines since the last one; None if this one is suppressed, too.

        Args:
            now: ``time.monotonic()``.
        """
        if now < self._next:
            self._held_back += 1
            return None
        held_back, self._held_back = self._held_back, 0
        self._next = now + LINE_INTERVAL_SECONDS
        return held_back
