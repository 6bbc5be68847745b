"""Long work lets others have turns."""

from __future__ import annotations

import asyncio
from time import monotonic

from proxy.runtime.tasks import MAX_TURN_SECONDS, yielding_to_others


def work() -> None:
    until = monotonic() + 1.5 * MAX_TURN_SECONDS
    while monotonic() < until:
        pass


async def test_others_are_served_in_between() -> None:
    served: list[int] = []
    before: list[int] = []
    async for item in yielding_to_others(range(4)):
        before.append(len(served))
        asyncio.get_running_loop().call_soon(served.append, item)
        work()
    assert before == [0, 1, 2, 3]


async def test_items_may_come_and_go_meanwhile() -> None:
    items = {1, 2, 3}
    seen = []
    async for item in yielding_to_others(items):
        seen.append(item)
        items.discard(item)
        items.add(item + 10)
        work()
    assert sorted(seen) == [1, 2, 3]
