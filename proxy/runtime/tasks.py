"""Named background tasks whose errors are logged, and loops that yield to other tasks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine, Iterable
from time import monotonic
from typing import Any, TypeVar

T = TypeVar("T")

log = logging.getLogger("labgate")

MAX_TURN_SECONDS = 0.005
"""How long a loop over thousands of connections may run before other tasks run."""

_running: set[asyncio.Task[Any]] = set()


def spawn(work: Coroutine[Any, Any, T], name: str) -> asyncio.Task[T]:
    """Start ``work`` in the background; an exception is logged."""
    task = asyncio.get_running_loop().create_task(work, name=name)
    _running.add(task)
    task.add_done_callback(_finished)
    return task


async def yielding_to_others(items: Iterable[T]) -> AsyncIterator[T]:
    """Iterate over a copy of ``items``, and yield to other tasks every ``MAX_TURN_SECONDS``."""
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
