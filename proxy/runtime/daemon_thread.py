"""Runs blocking work in a thread that does not delay the exit."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def run_in_daemon_thread(name: str, work: Callable[[], T]) -> T:
    """Run ``work`` in a new thread; returns its result, or raises its exception.

    If cancelled, or when the process exits, the thread is abandoned. asyncio would join the
    threads of ``to_thread`` at exit, however long they take.

    Args:
        name: The thread's name.
        work: Must tolerate being interrupted at any point by the exit.
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
        # The loop may be closed: then nobody waits for the result.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, settling)

    threading.Thread(target=run, name=name, daemon=True).start()
    return await done
