"""Whether Jupyter answers: one question for all who wait, and not again within a second."""

from __future__ import annotations

import asyncio

import pytest

from proxy.web.health import Readiness


class Jupyter:
    """Says whether it is ready when it may, and counts how often it was asked."""

    def __init__(self, *, ready: bool, silent: bool = False) -> None:
        self.ready = ready
        self.asked = 0
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        if not silent:
            self.may_answer.set()

    async def __call__(self) -> bool:
        self.asked += 1
        self.was_asked.set()
        await self.may_answer.wait()
        return self.ready


@pytest.mark.parametrize("ready", [True, False])
async def test_many_waiting_pages_ask_jupyter_once(ready: bool) -> None:
    jupyter = Jupyter(ready=ready)
    readiness = Readiness(jupyter, ready_for_seconds=3600.0)
    assert [await readiness() for _ in range(5)] == [ready] * 5
    assert jupyter.asked == 1


async def test_an_old_answer_does_not_count() -> None:
    jupyter = Jupyter(ready=False)
    readiness = Readiness(jupyter, ready_for_seconds=0.0)
    assert not await readiness()
    jupyter.ready = True
    while not await readiness():  # noqa: ASYNC110  its clock has to go on
        await asyncio.sleep(0)
    assert jupyter.asked > 1


async def test_pages_that_wait_for_a_silent_jupyter_wait_for_one_question() -> None:
    """Asked for each in turn, it would take seconds times the number of pages."""
    jupyter = Jupyter(ready=False, silent=True)
    readiness = Readiness(jupyter, ready_for_seconds=0.0)  # it took longer to find out
    waiting = [asyncio.ensure_future(readiness()) for _ in range(100)]
    await jupyter.was_asked.wait()
    waiting[0].cancel()  # its page was closed
    jupyter.may_answer.set()
    first, *others = await asyncio.gather(*waiting, return_exceptions=True)
    assert isinstance(first, asyncio.CancelledError)
    assert others == [False] * 99
    assert jupyter.asked == 1


async def test_a_question_that_fails_is_asked_again() -> None:
    async def fails() -> bool:
        raise OSError("no descriptors")

    readiness = Readiness(fails)
    for _ in range(2):
        with pytest.raises(OSError, match="no descriptors"):
            await readiness()
