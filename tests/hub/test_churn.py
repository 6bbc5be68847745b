"""A day's churn in half a minute: nothing is left of routes and WebSockets that came and went.

Run by name: ``pytest -m load tests/hub/test_churn.py``; LABGATE_CHURN_SECONDS makes it longer.
"""

from __future__ import annotations

import gc
import os
import random
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from tests.e2e.programs import until
from tests.hub.running import LABGATE, ProxyProcess, RawWebSocket, as_process, echo_target

pytestmark = pytest.mark.load

SECONDS = float(os.environ.get("LABGATE_CHURN_SECONDS", "30"))
USERS = 4
"""Threads that add, use and remove routes at the same time."""
GROWTH_BYTES = 8 * 2**20
"""What the allocator may keep; a route with its WebSocket takes 35 KiB, and thousands come."""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with echo_target() as url:
        yield url


class User:
    """Somebody whose server starts, is used and stops, again and again.

    Attributes:
        rounds: How often.
    """

    def __init__(self, proxy: ProxyProcess, target: str, number: int) -> None:
        self.rounds = 0
        self.failed: list[str] = []
        self._proxy, self._target, self._number = proxy, target, number
        self._chance = random.Random(number)
        self._thread = threading.Thread(target=self._run)

    def start(self, until_time: float) -> None:
        self._until = until_time
        self._thread.start()

    def end(self) -> None:
        self._thread.join()

    def _run(self) -> None:
        while time.monotonic() < self._until and not self.failed:
            try:
                self._round(f"/user/u{self._number}-{self.rounds}")
            except Exception as error:
                self.failed.append(repr(error))
            self.rounds += 1

    def _round(self, path: str) -> None:
        chance = self._chance.random()
        assert self._proxy.api("POST", path, {"target": self._target}).status == 201
        assert self._proxy.get(path).status == 200
        opened = [RawWebSocket(self._proxy.port, f"{path}/{one}") for one in range(2)]
        for one in opened:
            assert one.say(b"data") == b"data"
        if chance < 0.5:
            # Cut by the client, and then without its route.
            for one in opened:
                one.close()
        assert self._proxy.api("DELETE", path).status == 204
        if chance >= 0.5:
            # It outlives its route, and is cut then.
            assert opened[0].say(b"more") == b"more"
            for one in opened:
                one.close()


@pytest.mark.parametrize("workers", [1, 2])
def test_a_churn_leaves_nothing(workers: int, target: str, tmp_path: Path) -> None:
    flags = ["--workers", str(workers), "--storage", str(tmp_path / "routes")]
    with as_process(LABGATE, *flags, "--log-level", "error") as proxy:
        assert proxy.process is not None
        whole = psutil.Process(proxy.process.pid)
        churn(proxy, target, min(5.0, SECONDS))
        sockets, memory = settled(whole)
        rounds = churn(proxy, target, SECONDS)
        assert rounds > USERS
        until(lambda: settled(whole)[0] <= sockets, lambda: f"sockets: {settled(whole)}", 30)
        grown = settled(whole)[1] - memory
        print(f"{rounds} rounds, {grown / 2**10:.0f} KiB more")
        assert grown < GROWTH_BYTES
        assert proxy.api("GET").json == {}
        assert (tmp_path / "routes").stat().st_size < 2**20
        assert proxy.stop() == 0


def churn(proxy: ProxyProcess, target: str, seconds: float) -> int:
    """Let all users do their rounds; returns how many these were."""
    users = [User(proxy, target, number) for number in range(USERS)]
    for user in users:
        user.start(time.monotonic() + seconds)
    for user in users:
        user.end()
    assert [failure for user in users for failure in user.failed] == []
    gc.collect()
    return sum(user.rounds for user in users)


def settled(whole: psutil.Process) -> tuple[int, int]:
    """Descriptors and resident memory of all processes, when nothing closes any more."""
    seen = (-1, -1)
    while seen != (seen := counted(whole)):
        time.sleep(1)
    return seen


def counted(whole: psutil.Process) -> tuple[int, int]:
    descriptors = memory = 0
    for process in (whole, *whole.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            descriptors += process.num_fds()
            memory += process.memory_info().rss
    return descriptors, memory
