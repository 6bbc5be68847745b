"""Blocking work in a thread that delays no shutdown."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def run_in_daemon_thread(name: str, work: Callable[[], T]) -> T:
    """Run ``work`` in a new thread; returns its result, or raises its exception.

    Cancelled, or at the end of the process, the thread is left behind at any moment of its
    work. asyncio would join the threads of ``to_thread`` at exit, however long they take.

    Args:
        name: The thread's.
        work: Must leave nothing half done wherever it ends.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(settling: Callable[[], None]) -> None:
        if not done.done():
            settling()

    def run() -> None:
        try:
            result = work()
        except BaseException as error:
            raised = error  # Python unbinds the name of an except clause
            settling: Callable[[], None] = lambda: done.set_exception(raised)  # noqa: E731
        else:
            settling = lambda: done.set_result(result)  # noqa: E731
        # The loop may be closed by now: nobody waits for the result.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, settling)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
