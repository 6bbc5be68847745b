"""Limits log lines about frequent events."""

from __future__ import annotations

LINE_INTERVAL_SECONDS = 10.0


class LogThrottle:
    """Allows one line in ``LINE_INTERVAL_SECONDS``, and counts the suppressed ones."""

    __slots__ = ("_held_back", "_next")

    def __init__(self) -> None:
        self._next = float("-inf")
        self._held_back = 0

    def due(self, now: float) -> str | None:
        """The end of this line, which counts the suppressed ones; None if it is suppressed, too.

        It is empty if there were none since the last line.

        Args:
            now: ``time.monotonic()``.
        """
        if now < self._next:
            self._held_back += 1
            return None
        held_back, self._held_back = self._held_back, 0
        self._next = now + LINE_INTERVAL_SECONDS
        return f"; {held_back} more since the last such line" if held_back else ""
