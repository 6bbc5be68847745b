from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from proxy.service.service_manager import (
    feed_watchdog,
    keep_informed,
    watchdog_seconds,
)
from proxy.service.status import Status
from tests.service.test_state_text import STATUS


@pytest.fixture
def manager(sockets: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager's socket."""
    path = sockets / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(path))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(str(path))
        listening.setblocking(False)
        yield listening


async def received(manager: socket.socket) -> str:
    return (await asyncio.get_running_loop().sock_recv(manager, 4096)).decode()


@pytest.mark.parametrize(
    ("environment", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "nonsense"}, 0.0),
        ({"WATCHDOG_USEC": "2000000", "WATCHDOG_PID": "1"}, 2.0),
    ],
)
def test_how_often_the_watchdog_wants_to_hear(environment: dict[str, str], seconds: float) -> None:
    assert watchdog_seconds(environment) == seconds


async def test_the_watchdog_is_fed_by_the_event_loop(manager: socket.socket) -> None:
    feeding = asyncio.ensure_future(feed_watchdog(0.03))
    async with asyncio.timeout(10):
        assert [await received(manager) for _ in range(3)] == ["WATCHDOG=1"] * 3
    feeding.cancel()


async def test_a_state_is_sent_when_it_changes(manager: socket.socket) -> None:
    changes = iter([{}, {}, {"websockets": 3}])

    async def status() -> Status:
        return STATUS | next(changes, {"websockets": 3})

    informing = asyncio.ensure_future(keep_informed(status, 0.01))
    async with asyncio.timeout(30):
        states = [await received(manager) for _ in range(2)]
    informing.cancel()
    assert [state.rpartition("; ")[2] for state in states] == ["2 WebSockets", "3 WebSockets"]
    assert all(state.startswith("STATUS=Jupyter at ") for state in states)
