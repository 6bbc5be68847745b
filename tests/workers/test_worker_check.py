from __future__ import annotations

import asyncio

from proxy.workers.process_report import ProcessReport
from proxy.workers.worker_check import UNANSWERED_CHECKS, kill_hanging_workers

OFTEN = 10


class Worker:
    """Answers as scripted; then it does."""

    def __init__(self, pid: int, *answers: bool) -> None:
        self.pid = pid
        self.asked = 0
        self.asked_often = asyncio.Event()
        self.killed = asyncio.Event()
        self._answers = iter(answers)

    async def report(self) -> ProcessReport:
        self.asked += 1
        if self.asked == OFTEN:
            self.asked_often.set()
        return ProcessReport(self.pid, answers=next(self._answers, True))

    def kill(self) -> None:
        self.killed.set()


async def test_one_that_hangs_is_killed_and_no_other() -> None:
    hangs = Worker(1, *[False] * 10)
    busy = Worker(2, *([False] * (UNANSWERED_CHECKS - 1) + [True]) * 3)
    workers = [hangs, busy, Worker(3)]
    checking = asyncio.ensure_future(kill_hanging_workers(lambda: workers, 0))
    async with asyncio.timeout(10):
        await hangs.killed.wait()
        assert hangs.asked == UNANSWERED_CHECKS
        await busy.asked_often.wait()
    checking.cancel()
    assert not busy.killed.is_set()
    assert not workers[2].killed.is_set()
