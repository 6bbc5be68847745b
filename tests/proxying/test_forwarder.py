"""What goes up: each request ends where the next one on the same connection begins."""

from __future__ import annotations

import asyncio

import pytest

from proxy.errors import UpstreamDown
from proxy.net.upstream_address import UpstreamAddress
from proxy.proxying.pool import Pool
from tests.proxying.memory_front import MemoryFront
from tests.proxying.test_messages import proxying
from tests.upstreams import OK, Visit, says

LENGTH = (b"Content-Length", b"10")
CHUNKED = (b"Transfer-Encoding", b"chunked")
FIRST = [
    pytest.param(0, [], b"", id="no content"),
    pytest.param(10, [b"helloworld", b""], b"helloworld", id="a length"),
    pytest.param(10, [b"hello", b"world", b""], b"helloworld", id="a length, in two parts"),
    pytest.param(None, [b"hello", b""], b"5\r\nhello\r\n0\r\n\r\n", id="chunks"),
    pytest.param(None, [b""], b"0\r\n\r\n", id="no chunk"),
]


@pytest.mark.parametrize(("length", "pieces", "octets"), FIRST)
async def test_nothing_stands_between_two_requests(
    length: int | None, pieces: list[bytes], octets: bytes
) -> None:
    """Jupyter would take it for the beginning of the next one."""
    next_head = b""

    async def read(visit: Visit) -> None:
        nonlocal next_head
        if len(jupyter.visits) > 1:
            return
        await visit.head()
        assert await visit.exactly(len(octets)) == octets
        await visit.say(OK)
        next_head = await visit.head()
        await visit.say(OK)

    fields = [] if length == 0 else [CHUNKED if length is None else LENGTH]
    async with proxying(read) as (dispatcher, jupyter, _):
        first = MemoryFront(*fields, method=b"PUT", length=length)
        first.ask(dispatcher)
        first.upload(*pieces)
        assert await first.ended == "complete"
        second = MemoryFront()
        second.ask(dispatcher)
        assert await second.ended == "complete"
        assert len(jupyter.visits) == 1
    assert next_head.startswith(b"GET /x HTTP/1.1\r\n")


class Arrived(MemoryFront):
    """A request whose whole content has come with its head."""

    def arrived(self) -> bytes:
        return b"helloworld"


async def test_a_connection_is_used_again_after_content_that_had_arrived() -> None:
    async def read(visit: Visit) -> None:
        for _ in range(2):
            await visit.head()
            assert await visit.exactly(10) == b"helloworld"
            await visit.say(OK)

    async with proxying(read) as (dispatcher, jupyter, records):
        for _ in range(2):
            client = Arrived(LENGTH, method=b"PUT", length=10)
            client.ask(dispatcher)
            assert await client.ended == "complete"
        assert len(jupyter.visits) == 1
    assert [record.bytes_up for record in records] == [10, 10]


async def test_what_was_changed_is_recorded_when_somebody_looks() -> None:
    async with proxying(says(OK, OK)) as (dispatcher, _, records):
        for trace in (False, True):
            dispatcher.services.trace = trace
            client = MemoryFront((b"TE", b"x"))
            client.ask(dispatcher)
            assert await client.ended == "complete"
    assert [bool(record.fields_up.changes) for record in records] == [False, True]
    assert ("hop-by-hop", b"TE", b"x", None) in records[1].fields_up.changes


@pytest.mark.parametrize("turns", [0, 1])
async def test_who_leaves_before_jupyter_is_reached_is_recorded_once(turns: int) -> None:
    async with proxying(says(OK)) as (dispatcher, _, records):
        client = MemoryFront()
        client.ask(dispatcher)
        for _ in range(turns):
            await asyncio.sleep(0)
        client.leave()
        for _ in range(5):
            await asyncio.sleep(0)
    assert [record.outcome for record in records] == ["the client went away"]
    assert dispatcher.services.open_requests.count == 0


async def test_why_jupyter_cannot_be_reached_is_said() -> None:
    with pytest.raises(UpstreamDown) as starting:
        await Pool(None).dial()
    assert str(starting.value) == "Jupyter is being started"
    nobody = UpstreamAddress("localhost", 80, "/nobody/listens/here")
    with pytest.raises(UpstreamDown) as missing:
        await Pool(nobody).dial()
    assert str(missing.value) == f"{nobody}: No such file or directory"
