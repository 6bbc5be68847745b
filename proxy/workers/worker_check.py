"""Kills workers whose event loop does not turn any more; the supervisor starts them again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Protocol

from .process_report import ProcessReport

log = logging.getLogger("labgate")

CHECK_SECONDS = 10.0
UNANSWERED_CHECKS = 3
"""A worker that misses so many checks in a row hangs."""


class Checked(Protocol):
    """A worker, as the check sees it."""

    pid: int

    async def report(self) -> ProcessReport:
        """What it tells of itself; that it does not answer, if it does not in time."""

    def kill(self) -> None:
        """Send SIGKILL if it still runs."""


async def kill_hanging_workers(
    workers: Callable[[], Iterable[Checked]], check_seconds: float = CHECK_SECONDS
) -> None:
    """Ask all workers again and again, until cancelled.

    Args:
        workers: Those that run now.
        check_seconds: The pause between two checks.
    """
    missed: dict[int, int] = {}
    while True:
        await asyncio.sleep(check_seconds)
        running = list(workers())
        reports = await asyncio.gather(*(worker.report() for worker in running))
        missed = {
            report.pid: missed.get(report.pid, 0) + 1 for report in reports if not report.answers
        }
        for worker in running:
            if missed.get(worker.pid) == UNANSWERED_CHECKS:
                log.error("worker process %d does not answer any more; killing it", worker.pid)
                worker.kill()
