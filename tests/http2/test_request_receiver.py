"""What a client may not send too much of, and what h2 reports late."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from proxy.http2.flood_limits import BUDGETS, Flood
from proxy.http2.priorities import Priority
from proxy.http2.request_receiver import MAX_EARLY_PRIORITIES
from proxy.http2.settings import MAX_FRAME_BYTES
from proxy.net.limits import DEFAULT_LIMITS
from tests.http2 import frames
from tests.http2.raw_client import RawClient
from tests.http2.secured import secured
from tests.upstreams import OK, Visit, upstream

OPEN = frames.PREFACE + frames.settings()
POST = (*frames.GET[1:], (b":method", b"POST"))


async def answer(visit: Visit) -> None:
    while True:
        await visit.head()
        await visit.say(OK)


def over(flood: Flood) -> range:
    """Numbers of more streams than a budget allows, even if this takes a while."""
    return range(1, 4 * int(BUDGETS[flood].burst), 2)


def rapid_resets() -> Iterator[bytes]:
    """CVE-2023-44487."""
    for number in over(Flood.RESETS):
        yield frames.get(number) + frames.rst_stream(number)


def made_resets() -> Iterator[bytes]:
    """CVE-2025-8671: a WINDOW_UPDATE that overflows has labgate reset the stream."""
    for number in over(Flood.RESETS):
        yield frames.get(number) + frames.window_update(number, 2**31 - 1)


def malformed_heads() -> Iterator[bytes]:
    for number in over(Flood.RESETS):
        yield frames.get(number, b"", (b"X", b"y"))


def data_behind_the_end() -> Iterator[bytes]:
    """Each makes labgate reset the stream again."""
    for number in over(Flood.RESETS):
        yield frames.get(number) + frames.data(number, b"x", end=True)


def continuations() -> Iterator[bytes]:
    """Complete ones, below the number at which h2 ends the connection."""
    for number in range(1, 2 * int(BUDGETS[Flood.CONTINUATIONS].burst), 2):
        yield frames.frame(frames.HEADERS, frames.END_STREAM, number, frames.block(frames.GET))
        yield frames.frame(frames.CONTINUATION, 0, number) * 50
        yield frames.frame(frames.CONTINUATION, frames.END_HEADERS, number)


FLOODS = [
    pytest.param(rapid_resets(), Flood.RESETS, id="rapid reset"),
    pytest.param(made_resets(), Flood.RESETS, id="made you reset"),
    pytest.param(malformed_heads(), Flood.RESETS, id="malformed heads"),
    pytest.param(data_behind_the_end(), Flood.RESETS, id="content behind the end"),
    pytest.param(
        (frames.settings((4, one)) for one in over(Flood.SETTINGS)), Flood.SETTINGS, id="SETTINGS"
    ),
    pytest.param((frames.ping() for _ in over(Flood.PINGS)), Flood.PINGS, id="PING"),
    pytest.param(continuations(), Flood.CONTINUATIONS, id="CONTINUATION"),
    pytest.param(
        (frames.window_update(0, 1) for _ in over(Flood.WINDOW_UPDATES)),
        Flood.WINDOW_UPDATES,
        id="WINDOW_UPDATE",
    ),
    pytest.param(
        (frames.frame(frames.PRIORITY, 0, 1, b"\0\0\0\0\x10") for _ in over(Flood.PRIORITIES)),
        Flood.PRIORITIES,
        id="PRIORITY",
    ),
    pytest.param(
        (frames.priority_update(1, b"u=1") for _ in over(Flood.PRIORITIES)),
        Flood.PRIORITIES,
        id="PRIORITY_UPDATE",
    ),
    pytest.param(
        (frames.frame(0xFA, 0, 0) for _ in over(Flood.PRIORITIES)), Flood.PRIORITIES, id="unknown"
    ),
    pytest.param(
        (
            frames.headers(1, POST, end=False) if one == 1 else frames.data(1, b"")
            for one in over(Flood.EMPTY_DATA)
        ),
        Flood.EMPTY_DATA,
        id="empty DATA",
    ),
    pytest.param(
        (
            frames.headers(1, POST, end=False) + frames.rst_stream(1)
            if one == 1
            else frames.data(1, b"x")
            for one in over(Flood.LATE_DATA)
        ),
        Flood.LATE_DATA,
        id="DATA of a closed stream",
    ),
]


@pytest.mark.parametrize(("sent", "flood"), FLOODS)
async def test_a_flood_ends_the_connection(
    sent: Iterator[bytes], flood: Flood, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "labgate")
    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(*sent)
        await client.until(lambda: client.goaway)
        assert client.goaway == "ENHANCE_YOUR_CALM"
        assert f"HTTP/2 of 127.0.0.1 ended: too many {flood.value}" in caplog.messages
        # The other clients are served.
        other = await running.connect()
        other.send(frames.get(1))
        assert (await other.response(1)).statuses == [200]


async def test_windows_of_one_octet_end_the_connection() -> None:
    """The window is opened by one octet as soon as it was used."""
    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect_silently()
        client.send(frames.PREFACE, frames.settings((4, 0)))
        for number in over(Flood.TINY_WINDOWS):
            client.send(frames.get(number), frames.window_update(number, 1))
            await client.until_begun(number)
            client.send(frames.window_update(number, 1))
            await client.until_ended(number)
            if client.goaway:
                break
        assert client.goaway == "ENHANCE_YOUR_CALM"


async def test_a_page_that_is_left_is_no_flood() -> None:
    """Chromium resets everything that a page has asked for, and asks for the next one's."""
    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        for page in range(4):
            numbers = range(1 + 200 * page, 201 + 200 * page, 2)
            client.send(*[frames.get(number) for number in numbers])
            client.send(*[frames.rst_stream(number) for number in numbers])
        client.send(frames.get(1001))
        assert (await client.response(1001)).statuses == [200]


async def ended(client: RawClient) -> str:
    await client.until(lambda: client.goaway)
    return client.goaway


async def test_a_header_bomb_ends_the_connection() -> None:
    """A few octets that stand for megabytes (RFC 7541 section 7.3)."""
    async with secured(None) as running:
        client = await running.connect()
        bomb = frames.literal(b"x", b"y" * 4000, 0x40) + b"\xbe" * 4000
        client.send(frames.frame(frames.HEADERS, 5, 1, frames.block(frames.GET) + bomb))
        assert await ended(client) == "ENHANCE_YOUR_CALM"


async def test_a_header_block_that_never_ends_ends_the_connection() -> None:
    """Fewer frames than h2 takes, of more bytes than any head needs."""
    async with secured(None) as running:
        client = await running.connect()
        client.send(
            frames.frame(frames.HEADERS, frames.END_STREAM, 1, frames.block(frames.GET)),
            frames.frame(frames.CONTINUATION, 0, 1, b"\0" * MAX_FRAME_BYTES) * 20,
        )
        assert await ended(client) == "ENHANCE_YOUR_CALM"


async def test_a_head_that_is_too_long_is_refused_alone() -> None:
    limits = replace(DEFAULT_LIMITS, head=1000, request_line=100)
    async with secured(None, limits=limits) as running:
        client = await running.connect()
        client.send(
            frames.get(1, b"/", (b"x", b"y" * 1000)),
            frames.get(3, b"/" + b"y" * 100),
            frames.get(5, b"/.labgate/health"),
        )
        assert (await client.response(1)).statuses == [431]
        assert (await client.response(3)).statuses == [414]
        assert (await client.response(5)).statuses[0] in (200, 503)


async def test_a_priority_may_come_before_its_request() -> None:
    async with upstream(silent) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(
            frames.priority_update(3, b"u=1, i"),
            frames.get(1),
            frames.get(3, b"/", (b"priority", b"u=5")),
            frames.get(5, b"/", (b"priority", b"u=5")),
            frames.priority_update(1, b"u=0"),
            *[frames.priority_update(number, b"u=7") for number in range(101, 701, 2)],
        )
        await client.pong()
        (connection,) = running.server.connections
        receiver = connection._receiver  # type: ignore[attr-defined]
        assert {number: stream.priority for number, stream in receiver.streams.items()} == {
            1: Priority(0),
            3: Priority(1, True),
            5: Priority(5),
        }
        assert len(receiver._early_priorities) == MAX_EARLY_PRIORITIES


async def silent(visit: Visit) -> None:
    await visit.reader.read()
