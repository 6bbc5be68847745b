"""What a drain waits for."""

from __future__ import annotations

import asyncio
from typing import cast

from proxy.observe.record import Record
from proxy.proxying.open_requests import OpenRequests
from proxy.proxying.tunnel import OpenTunnel
from tests.heads import get


async def settle(task: asyncio.Task[None]) -> bool:
    """Whether it ends by itself."""
    for _ in range(10):
        await asyncio.sleep(0)
    return task.done()


async def test_a_drain_without_requests_ends_at_once() -> None:
    async with asyncio.timeout(10):
        await OpenRequests().drained()


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


async def test_a_drain_does_not_wait_for_tunnels() -> None:
    requests = OpenRequests()
    requests.count = 2
    requests.add_tunnel(cast(OpenTunnel, object()), Record(get()))
    drain = asyncio.ensure_future(requests.drained())
    assert not await settle(drain)
    requests.add_tunnel(cast(OpenTunnel, object()), Record(get()))
    assert await settle(drain)


async def test_requests_that_ended_before_a_drain_do_not_end_it() -> None:
    requests = OpenRequests()
    requests.check_drained()
    requests.count = 1
    drain = asyncio.ensure_future(requests.drained())
    assert not await settle(drain)
    drain.cancel()
