"""Log lines that a flood of anything would repeat without end."""

from __future__ import annotations

LINE_INTERVAL_SECONDS = 10.0


class LogThrottle:
    """Lets one line through in ``LINE_INTERVAL_SECONDS``, and counts those that it holds back."""

    def __init__(self) -> None:
        self._next = float("-inf")
        self._held_back = 0

    def due(self, now: float) -> int | None:
        """How many were held back since the last line; None when this one is, too.

        Args:
            now: ``time.monotonic()``.
        """
        if now < self._next:
            self._held_back += 1
            return None
        held_back, self._held_back = self._held_back, 0
        self._next = now + LINE_INTERVAL_SECONDS
        return held_back
