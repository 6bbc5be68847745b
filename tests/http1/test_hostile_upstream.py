"""A Jupyter that is broken or wants to break us: bounded in octets and in time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from itertools import chain, repeat
from time import monotonic

import pytest

from proxy.http1.response_parser import MAX_HEAD_BYTES
from tests.edges import Edge, edge, request
from tests.upstreams import OK, Visit, upstream
from tests.wire.talk import Taps

PIECE = 16 * 1024
HEAD_SECONDS = 60.0
MAX_TAKEN_BYTES = 64 * 2**20
"""Octets an endless answer may get rid of before it is cut: kernel buffers and a read each way."""

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

ENDLESS = [
    pytest.param(b"HTTP/1.1 200 OK\r\nX-A: ", b"a" * PIECE, id="a field value"),
    pytest.param(b"HTTP/1.1 200 OK\r\n", b"X-A: a\r\n" * 2000, id="fields"),
    pytest.param(b"HTTP/1.1 200 ", b"o" * PIECE, id="a reason"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX", b"x" * PIECE, id="a field name"),
    pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 600, id="interim answers"),
    pytest.param(CHUNKED + b"0\r\n", b"X-A: a\r\n" * 2000, id="trailers"),
    pytest.param(CHUNKED + b"0\r\nX-A: ", b"a" * PIECE, id="a trailer's value"),
    pytest.param(CHUNKED + b"1;a=", b"a" * PIECE, id="a chunk extension"),
    pytest.param(CHUNKED + b"2\r\nok\r\n1;", b"b" * PIECE, id="an extension behind content"),
]


@pytest.mark.parametrize(("first", "then"), ENDLESS)
async def test_what_has_no_end_is_ended(first: bytes, then: bytes) -> None:
    taken = asyncio.get_running_loop().create_future()

    async def endless(visit: Visit) -> None:
        await visit.head()
        if len(jupyter.visits) > 1:
            await visit.say(OK)
            return
        written = 0
        try:
            for piece in chain([first], repeat(then)):
                await visit.say(piece)
                written += len(piece)
                if written > MAX_TAKEN_BYTES:
                    break
        finally:
            taken.set_result(written)

    async with upstream(endless) as jupyter, edge(jupyter.address) as labgate:
        try:
            answer = await labgate.ask(request())
        except ConnectionResetError:
            answer = b"reset"
        assert await taken < MAX_TAKEN_BYTES
        assert b"ok" in await labgate.ask(request()), "the next client is served"
    assert answer == b"reset" or answer.startswith((b"HTTP/1.1 502 ", b"HTTP/1.1 100 "))
    assert not answer.endswith(b"0\r\n\r\n"), "it looks complete"


async def answered_after_checks(labgate: Edge, data: bytes) -> bytes:
    """The answer, while the clock that the application runs is run by hand."""
    asking = asyncio.ensure_future(labgate.ask(data))
    async with asyncio.timeout(30):
        while not asking.done():
            await labgate.pool.check_times()
            await asyncio.sleep(0.01)
    return await asking


SLOW = [
    pytest.param(b"H", id="its first octet"),
    pytest.param(b"HTTP/1.1 200 OK\r\nX-A: ", id="half a head"),
    pytest.param(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 ", id="a head behind an interim one"),
]


@pytest.mark.parametrize("begun", SLOW)
async def test_a_head_that_stops_coming_is_504(begun: bytes) -> None:
    async def stops(visit: Visit) -> None:
        await visit.head()
        await visit.say(begun)
        await visit.reader.read()

    async with upstream(stops) as jupyter, edge(jupyter.address, head_seconds=0.05) as labgate:
        answer = await answered_after_checks(labgate, request())
    assert b"HTTP/1.1 504 " in answer


async def test_an_answer_that_never_begins_is_504_where_that_is_asked_for() -> None:
    async def says_nothing(visit: Visit) -> None:
        await visit.reader.read()

    async with (
        upstream(says_nothing) as jupyter,
        edge(jupyter.address, response_seconds=0.05) as labgate,
    ):
        answer = await answered_after_checks(labgate, request())
    assert answer.startswith(b"HTTP/1.1 504 ")


NEVER_LATE: Iterable[tuple[str, list[bytes]]] = [
    ("interim, then silence", [b"HTTP/1.1 102 Processing\r\n\r\n", OK]),
    ("content that drips", [OK[:-2], b"o", b"k"]),
]


@pytest.mark.parametrize(("name", "pieces"), NEVER_LATE)
async def test_what_is_merely_slow_is_waited_for(
    name: str, pieces: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = Taps(monkeypatch).upstream
    checked = asyncio.Semaphore(0)

    async def slow(visit: Visit) -> None:
        await visit.head()
        for piece in pieces:
            await visit.say(piece)
            await checked.acquire()

    async with (
        asyncio.timeout(30),
        upstream(slow) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        asking = asyncio.ensure_future(labgate.ask(request()))
        for count in range(len(pieces)):
            await taken.until(len(b"".join(pieces[: count + 1])))
            for connection in list(labgate.pool.open):
                connection.check_time(monotonic() + 3600, HEAD_SECONDS, response_seconds=0)
            checked.release()
        assert (await asking).endswith(b"ok")


async def test_of_a_head_that_has_begun_the_rest_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The hour of the test before is too long for this one."""
    taken = Taps(monkeypatch).upstream

    async def stops(visit: Visit) -> None:
        await visit.head()
        await visit.say(OK[:10])
        await visit.reader.read()

    async with (
        asyncio.timeout(30),
        upstream(stops) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        asking = asyncio.ensure_future(labgate.ask(request()))
        await taken.until(10)
        (connection,) = labgate.pool.open
        connection.check_time(monotonic() + HEAD_SECONDS - 1, HEAD_SECONDS, response_seconds=0)
        assert not asking.done()
        connection.check_time(monotonic() + 3600, HEAD_SECONDS, response_seconds=0)
        assert b"HTTP/1.1 504 " in await asking


def test_the_bound_is_generous() -> None:
    assert MAX_HEAD_BYTES >= 4 * 64 * 1024, "Jupyter may echo the biggest head a client may send"
