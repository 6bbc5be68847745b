"""In which order responses reach a client, and that a window never stays open unused."""

from __future__ import annotations

import asyncio

from proxy.http2.priorities import SHORT_BYTES
from tests.http2 import frames
from tests.http2.secured import RawClient, secured
from tests.upstreams import Visit, upstream

SIZES = {b"/large": 200_000, b"/other": 200_000, b"/short": SHORT_BYTES}


class Jupyter:
    """Answers with as much as the target says, once all requests are there."""

    def __init__(self, count: int) -> None:
        self._missing = count
        self._all = asyncio.Event()

    async def __call__(self, visit: Visit) -> None:
        while True:
            head = await visit.head()
            self._missing -= 1
            if not self._missing:
                self._all.set()
            await self._all.wait()
            size = SIZES[head.split(b" ")[1]]
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
            await visit.say(bytes(size))


async def order(client: RawClient, *requests: bytes) -> list[int]:
    """The streams in the order in which their content came, once all of them wait for it."""
    client.send(frames.PREFACE, frames.settings((4, 2**30)), *requests)
    # The connection's window is used up by now, and each response has something queued.
    await client.until(
        lambda: (
            len([one for one in client.streams.values() if one.heads]) == len(requests)
            and sum(len(one.content) for one in client.streams.values()) == 65_535
        )
    )
    await asyncio.sleep(0.05)
    begun = len(client.received)
    client.send(frames.window_update(0, 2**30))
    for number in range(1, 2 * len(requests), 2):
        await client.response(number)
    return [
        one.stream for one in client.received[begun:] if one.kind == frames.DATA and one.payload
    ]


def runs(streams: list[int]) -> list[int]:
    """Without repetitions."""
    return [one for at, one in enumerate(streams) if not at or streams[at - 1] != one]


async def test_urgent_responses_come_first() -> None:
    async with upstream(Jupyter(3)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect_silently()
        found = await order(
            client,
            frames.get(1, b"/large", (b"priority", b"u=5")),
            frames.get(3, b"/other", (b"priority", b"u=1")),
            frames.get(5, b"/short", (b"priority", b"u=6")),
        )
    last = {stream: len(found) - 1 - found[::-1].index(stream) for stream in set(found)}
    assert last[3] < last[1], "less urgent, and asked for earlier"
    if 5 in last:
        assert last[1] < last[5]


async def test_short_responses_overtake_long_ones() -> None:
    async with upstream(Jupyter(2)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect_silently()
        found = await order(client, frames.get(1, b"/large"), frames.get(3, b"/short"))
    # It may have got into the window before.
    assert found[0] == 3 or 3 not in found
    assert found[-1] == 1


async def test_incremental_responses_take_turns() -> None:
    incremental = (b"priority", b"i")
    async with upstream(Jupyter(2)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect_silently()
        found = await order(
            client,
            frames.get(1, b"/large", incremental),
            frames.get(3, b"/other", incremental),
        )
    assert len(runs(found)) > 6
