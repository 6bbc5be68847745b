"""Ends a computation that would go on for minutes, as asyncio.timeout ends what waits."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

PATIENCE_SECONDS = 30.0
"""What ends takes thousandths of it."""


@contextmanager
def interrupted(seconds: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Fail if the block has not ended by itself; in the main thread only.

    A regular expression is interrupted as well: ``re`` looks for signals while it searches.
    """

    def give_up(_number: int, _frame: FrameType | None) -> None:
        raise AssertionError(f"it goes on after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
