"""What a drain waits for."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from proxy.messages import TunnelEnd
from proxy.observe.record import Record
from proxy.proxying.activity import Activity
from proxy.proxying.open_requests import OpenRequests
from proxy.proxying.result import Switched
from proxy.proxying.tunnel import OpenTunnel
from tests.heads import get
from tests.http1.memory_transport import MemoryTransport
from tests.proxying.memory_front import MemoryFront


async def settle(task: asyncio.Task[None]) -> bool:
    """Whether it ends by itself."""
    for _ in range(10):
        await asyncio.sleep(0)
    return task.done()


@asynccontextmanager
async def upstream() -> AsyncIterator[tuple[asyncio.Transport, socket.socket]]:
    """A connection to Jupyter, and Jupyter's end of it."""
    ours, jupyter = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    with jupyter:
        yield transport, jupyter
        transport.abort()


async def test_a_drain_without_requests_ends_at_once() -> None:
    async with asyncio.timeout(10):
        await OpenRequests().drained()


def switched(transport: asyncio.Transport, rest: bytes = b"") -> Switched:
    return Switched(transport, b"", [], rest)


async def test_a_drain_waits_for_every_request() -> None:
    requests = OpenRequests()
    requests.count = 2
    drain = asyncio.ensure_future(requests.drained())
    for left, over in ((1, False), (0, True)):
        await settle(drain)
        assert requests.draining
        requests.count = left
        requests.check_drained()
        assert await settle(drain) is over


@pytest.mark.parametrize("way", ["over", "forced", "timed out"])
async def test_a_drain_ends(way: str) -> None:
    requests, force = OpenRequests(), asyncio.Event()
    requests.count = 1
    drain = asyncio.ensure_future(requests.drain(0.0 if way == "timed out" else 3600.0, force))
    for _ in range(10):
        await asyncio.sleep(0)
    if way != "timed out":
        assert not drain.done()
    if way == "over":
        requests.count = 0
        requests.check_drained()
    elif way == "forced":
        force.set()
    async with asyncio.timeout(10):
        await drain
    assert asyncio.all_tasks() == {asyncio.current_task()}, "nothing waits any more"


async def test_a_drain_that_nobody_forces_ends_too() -> None:
    async with asyncio.timeout(10):
        await OpenRequests().drain(3600.0)


async def test_a_drain_does_not_wait_for_tunnels() -> None:
    requests = OpenRequests()
    requests.count = 2
    async with upstream() as (one, _), upstream() as (other, _):
        requests.open_tunnel(switched(one), MemoryFront(), Record(get()), lambda: None)
        drain = asyncio.ensure_future(requests.drained())
        assert not await settle(drain)
        requests.open_tunnel(switched(other), MemoryFront(), Record(get()), lambda: None)
        assert await settle(drain)


@pytest.mark.parametrize("activity", [None, Activity(0.0)])
async def test_a_tunnel_is_open_until_it_ends_and_then_counted(activity: Activity | None) -> None:
    requests, client = OpenRequests(), MemoryFront()
    record = Record(get(), bytes_up=3, bytes_down=4)
    ended = asyncio.Event()
    async with upstream() as (transport, jupyter):
        requests.open_tunnel(switched(transport, b"early"), client, record, ended.set, activity)
        assert list(requests.tunnels.values()) == [record]
        (await client.tunnel).feed_data(b"up")
        assert jupyter.recv(9) == b"up"
        jupyter.close()
        async with asyncio.timeout(10):
            await ended.wait()
    assert (record.bytes_up, record.bytes_down, client.content) == (5, 9, b"early")
    assert not requests.tunnels
    assert activity is None or activity.at


async def test_a_tunnel_that_cannot_open_is_not_open() -> None:
    class Broken(MemoryFront):
        def start(self, end: TunnelEnd) -> None:
            raise ConnectionError("gone")

    requests = OpenRequests()
    async with upstream() as (transport, _):
        with pytest.raises(ConnectionError):
            requests.open_tunnel(switched(transport), Broken(), Record(get()), lambda: None)
    assert not requests.tunnels


@pytest.mark.parametrize("lost", [False, True])
async def test_a_tunnel_that_cannot_open_may_end_before_or_after(lost: bool) -> None:
    class Leaves(MemoryFront):
        def start(self, end: TunnelEnd) -> None:
            if lost:
                end.client_lost(ConnectionResetError())
            raise ConnectionError("gone")

    requests, transport, ends = OpenRequests(), MemoryTransport(), list[str]()
    with pytest.raises(ConnectionError, match=r"^gone$"):
        requests.open_tunnel(
            switched(transport), Leaves(), Record(get()), lambda: ends.append("end")
        )
    assert isinstance(transport.protocol, OpenTunnel)
    transport.protocol.connection_lost(None)
    assert ends == ["end"]
    assert not requests.tunnels


LOOKS = [
    pytest.param(20.0, 2.0, True, id="ten times in the silence"),
    pytest.param(20.0, 1.99, False, id="not more often"),
    pytest.param(600.0, 5.0, True, id="every five seconds in a long one"),
    pytest.param(600.0, 4.99, False, id="not more often either"),
    pytest.param(0.0, 3600.0, False, id="no pings are wanted"),
]


@pytest.mark.parametrize(("ping_seconds", "passed", "looks"), LOOKS)
async def test_how_often_silent_tunnels_are_looked_for(
    ping_seconds: float, passed: float, looks: bool
) -> None:
    class Looked(OpenTunnel):
        def ping_if_silent(self, now: float, silent_seconds: float) -> None:
            seen.append((now, silent_seconds))

    seen: list[tuple[float, float]] = []
    requests = OpenRequests()
    requests.tunnels[Looked(MemoryTransport(), MemoryFront(), lambda _: None)] = Record(get())
    requests.ping_seconds = ping_seconds
    await requests.ping_silent(1000.0)
    seen.clear()
    await requests.ping_silent(1000.0 + passed)
    assert seen == [(1000.0 + passed, ping_seconds)] * looks


async def test_requests_that_ended_before_a_drain_do_not_end_it() -> None:
    requests = OpenRequests()
    requests.check_drained()
    requests.count = 1
    drain = asyncio.ensure_future(requests.drained())
    assert not await settle(drain)
    drain.cancel()
