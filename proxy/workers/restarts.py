"""Keeps a worker running: starts its successor when it ends.

Tested by tests/e2e/test_workers.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any

from proxy.runtime.tasks import spawn

from .vacancies import Vacancies
from .worker_process import WorkerProcess

log = logging.getLogger("labgate")

RESTART_DELAYS_SECONDS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
RESET_DELAY_AFTER_SECONDS = 60.0

Launch = Callable[[int], Awaitable[WorkerProcess]]
WaitForExit = Callable[[WorkerProcess], Coroutine[Any, Any, str]]


async def keep_running(
    index: int,
    worker: WorkerProcess,
    launch: Launch,
    wait_for_exit: WaitForExit,
    vacancies: Vacancies,
) -> None:
    """Keep one worker running at this index, until cancelled.

    Args:
        index: Whose sockets it has.
        worker: The first one.
        launch: Starts another one.
        wait_for_exit: Waits until one has exited, and tells how.
        vacancies: Learns when none accepts, and when one does again.
    """
    loop = asyncio.get_running_loop()
    attempt, since = 0, loop.time()
    while True:
        await worker.draining.wait()
        vacancies.begin(index)
        if worker.serves:
            # It finishes its requests; start its successor now.
            log.info("worker %d (process %d) accepts nothing more and ends", index + 1, worker.pid)
            spawn(wait_for_exit(worker), f"end of worker {index + 1}")
        else:
            how = await wait_for_exit(worker)
            attempt = 0 if loop.time() - since > RESET_DELAY_AFTER_SECONDS else attempt
            pause = RESTART_DELAYS_SECONDS[min(attempt, len(RESTART_DELAYS_SECONDS) - 1)]
            attempt += 1
            log.error(
                "worker %d (process %d) ended: %s; starting it again%s",
                index + 1,
                worker.pid,
                how,
                f" in {pause:g} s" if pause else "",
            )
            await asyncio.sleep(pause)
        since = loop.time()
        worker = await _relaunch(index, launch)
        await worker.ready.wait()
        if worker.serves:
            vacancies.end(index)
            log.info("worker %d is process %d now", index + 1, worker.pid)


async def _relaunch(index: int, launch: Launch) -> WorkerProcess:
    while True:
        with suppress(OSError):
            return await launch(index)
        log.error("worker %d cannot be started; trying again", index + 1)
        await asyncio.sleep(RESTART_DELAYS_SECONDS[-1])
