"""Background tasks that are named, referenced, never fail unheard, and let others have turns."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger("labgate")

MAX_TURN_SECONDS = 0.005
"""For work on thousands of connections, before whoever has sent something has a turn."""

_running: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start ``work`` in the background; its exception, if nobody awaits it, is logged."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


async def yielding_to_others(items: Iterable[T]) -> AsyncIterator[T]:
    """Those that are items now; whenever a turn is over, whatever else is due comes first."""
    since = monotonic()
    for item in list(items):
        if monotonic() - since > MAX_TURN_SECONDS:
            await asyncio.sleep(0)
            since = monotonic()
        yield item


def _finished(task: asyncio.Task[Any]) -> None:
    _running.discard(task)
    if not task.cancelled() and (error := task.exception()) is not None:
        log.error("background task %s failed", task.get_name(), exc_info=error)
