"""In which order responses reach a client, that a window never stays open unused, and who waits."""

from __future__ import annotations

import asyncio

import pytest
from h2.errors import ErrorCodes

from proxy.http2.priorities import SHORT_BYTES, Priority
from proxy.http2.response_sender import ResponseSender
from proxy.http2.settings import DEFAULT_WINDOW_BYTES, begin
from proxy.http2.stream import Stream
from proxy.net.limits import DEFAULT_LIMITS, new_request_limit
from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from tests.http2 import frames
from tests.http2.raw_client import RawClient
from tests.http2.secured import secured
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


class Queues:
    """A connection that sends nothing by itself (``stream.StreamConnection``)."""

    client = "192.0.2.1"

    def __init__(self, sender: ResponseSender) -> None:
        self._sender = sender

    def send_fields(self, stream: Stream, fields: list[Field], *, end: bool) -> None:
        raise AssertionError

    def schedule(self, stream: Stream) -> None:
        self._sender.schedule(stream, 0.0)

    def flush(self) -> None:
        raise AssertionError

    def flush_soon(self) -> None:
        raise AssertionError

    def reset(self, stream: Stream, code: ErrorCodes) -> None:
        raise AssertionError

    def open_windows(self, stream: Stream, count: int) -> None:
        raise AssertionError


LARGE_WINDOWS = frames.settings((4, 2**30))
STALLED = [
    pytest.param(LARGE_WINDOWS, 600.0, 1000, [], id="the other one is urgent"),
    pytest.param(
        LARGE_WINDOWS, 600.0, DEFAULT_WINDOW_BYTES, [], id="it uses the connection's window up"
    ),
    pytest.param(
        LARGE_WINDOWS,
        1.0,
        DEFAULT_WINDOW_BYTES,
        [1, 3],
        id="nobody opens the connection's window again",
    ),
    pytest.param(frames.settings((4, 10)), 1.0, 10, [1], id="its own window is used up"),
    pytest.param(
        frames.settings((4, 10)), 600.0, 100, [], id="its own window was used up a moment ago"
    ),
    pytest.param(frames.settings((4, 0)), 600.0, 100, [1, 3], id="its own window was never open"),
]


@pytest.mark.parametrize(("settings", "sent_at", "max_bytes", "stalled"), STALLED)
def test_who_waits_in_vain(
    settings: bytes, sent_at: float, max_bytes: int, stalled: list[int]
) -> None:
    """Of an urgent response and another; both have had something to send from 0.0 on."""
    codec, _ = begin(DEFAULT_LIMITS)
    codec.receive_data(frames.PREFACE + settings + frames.get(1) + frames.get(3))
    sender, limit = ResponseSender(codec), new_request_limit(DEFAULT_LIMITS)
    for number, urgency in ((1, 1), (3, 5)):
        codec.send_headers(number, [(b":status", b"200")])
        slot = limit.acquire("192.0.2.1")
        assert slot is not None
        refused = Refuse(400, "test", "")
        stream = Stream(Queues(sender), number, refused, Priority(urgency), slot=slot, now=0.0)
        stream.queue(bytes(100_000))
    sender.fill(max_bytes, sent_at)
    assert [stream.id for stream in sender.stalled(500.0)] == stalled
