"""Keeps a fault of the capture away from the traffic that it watches.

Tested by tests/inspector/test_guard.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from types import TracebackType

log = logging.getLogger("labgate")


def _nothing(*_: object) -> None:
    """Nobody wants to know."""


class Guard:
    """A context in which the capture works: ``with guard``. Errors in it end there.

    Attributes:
        faulty: Whether there was one.
        switch_off: Called after the first one, which alone is logged.
        failed: Given the first one.
    """

    def __init__(self) -> None:
        self.faulty = False
        self.switch_off: Callable[[], None] = _nothing
        self.failed: Callable[[Exception], None] = _nothing

    def __enter__(self) -> None:
        """Begin some work of the capture."""

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        self.caught(error)
        return True

    def caught(self, error: Exception) -> None:
        """End an error here, as the context does; ``try`` costs nothing where there is none."""
        if not self.faulty:
            self.faulty = True
            log.error("fault in the inspector, which is off now", exc_info=error)
            self.switch_off()
            self.failed(error)
