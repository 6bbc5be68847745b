"""Checks at intervals go on, whatever goes wrong in one of them."""

from __future__ import annotations

import asyncio

import pytest

from proxy.runtime.periodic import run_periodically

SECONDS = 30.0


class Checks:
    """Two checks, of which the first one fails."""

    def __init__(self) -> None:
        self.failed = self.succeeded = 0
        self.enough = asyncio.Event()

    async def fail(self) -> None:
        self.failed += 1
        raise ValueError("a fault")

    async def succeed(self) -> None:
        self.succeeded += 1
        if self.succeeded == 3:
            self.enough.set()


async def test_a_check_that_fails_ends_neither_itself_nor_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    checks = Checks()
    running = asyncio.ensure_future(run_periodically([checks.fail, checks.succeed], 0))
    async with asyncio.timeout(SECONDS):
        await asyncio.wait(
            {running, asyncio.ensure_future(checks.enough.wait())},
            return_when=asyncio.FIRST_COMPLETED,
        )
    assert not running.done()
    assert checks.failed >= 3
    (logged,) = caplog.records
    assert logged.exc_info is not None
    assert str(logged.exc_info[1]) == "a fault"
    running.cancel()


async def test_a_cancellation_ends_it() -> None:
    async def wait() -> None:
        await asyncio.Event().wait()

    running = asyncio.ensure_future(run_periodically([wait], 0))
    for _ in range(5):
        await asyncio.sleep(0)
    running.cancel()
    async with asyncio.timeout(SECONDS):
        await asyncio.wait({running})
    assert running.cancelled()


async def test_the_interval_lies_between_two_runs() -> None:
    runs = 0

    async def run() -> None:
        nonlocal runs
        runs += 1

    running = asyncio.ensure_future(run_periodically([run], 3600.0))
    for _ in range(5):
        await asyncio.sleep(0)
    assert runs == 0
    running.cancel()
