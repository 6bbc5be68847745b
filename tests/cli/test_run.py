"""``up`` and ``serve`` from the inside: what a second Ctrl-C does to the wait for Jupyter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from proxy.cli.run import _stop
from proxy.cli.signals import longest_wait
from proxy.config.settings import Settings
from proxy.jupyter.launcher import JupyterExit, Launched


class NeverStops:
    """A Jupyter that does not end."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()
        self.left_alone = False

    async def launch(self) -> Launched:
        raise NotImplementedError

    async def wait_for_exit(self) -> JupyterExit:
        raise NotImplementedError

    async def relaunch(self) -> Launched:
        raise NotImplementedError

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        raise NotImplementedError

    def follow_log(self, count: int) -> AsyncIterator[str]:
        raise NotImplementedError

    async def condition(self) -> str:
        return ""

    async def leave(self) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left_alone = True


async def test_a_hurry_ends_the_wait() -> None:
    launcher, force = NeverStops(), asyncio.Event()
    stopping = asyncio.ensure_future(_stop(launcher, force))
    await launcher.asked.wait()
    assert not launcher.left_alone
    force.set()
    async with asyncio.timeout(10):
        await stopping
    assert launcher.left_alone


async def test_in_a_hurry_it_is_asked_all_the_same() -> None:
    launcher, force = NeverStops(), asyncio.Event()
    force.set()
    async with asyncio.timeout(10):
        await _stop(launcher, force)
    assert launcher.asked.is_set()
    assert launcher.left_alone


def test_a_stop_says_how_long_it_may_take() -> None:
    assert longest_wait(Settings()) == "open requests get 10 s, then Jupyter gets 10 s"
    served = Settings.model_validate({"upstream": {"url": "http://127.0.0.1:8888"}})
    assert longest_wait(served) == "open requests get 10 s"
