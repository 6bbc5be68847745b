"""A WebSocket through the whole proxying: what is recorded of it, and how it ends."""

from __future__ import annotations

from proxy.net.reset import reset
from proxy.rules.head import NO_FIELDS
from tests.proxying.memory_front import MemoryFront
from tests.proxying.test_messages import SWITCH, WEBSOCKET, proxying
from tests.upstreams import OK, Visit


async def test_an_idle_websocket_holds_no_fields() -> None:
    async def accept(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH)
        await visit.reader.read()

    async with proxying(accept) as (dispatcher, _, records):
        client = MemoryFront(*WEBSOCKET)
        client.ask(dispatcher)
        tunnel = await client.tunnel
        client.leave()
        assert not records, "the tunnel goes on until its connection ends"
        tunnel.client_lost(None)
        [record] = records
    assert (record.head.method, record.head.target) == (b"GET", b"/x")
    assert record.head.arrival == client.head.arrival
    assert record.head.section is NO_FIELDS
    assert (record.outcome, record.status) == ("tunnelled", 101)


async def test_a_client_is_cut_off_when_jupyter_is() -> None:
    """Lab then connects again: it would not after a close frame."""

    async def break_off(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH + b"last words")
        await visit.exactly(4)
        reset(visit.writer.transport)

    async with proxying(break_off) as (dispatcher, _, records):
        client = MemoryFront(*WEBSOCKET)
        client.ask(dispatcher)
        tunnel = await client.tunnel
        tunnel.feed_data(b"ping")
        assert await client.ended == "aborted"
    assert client.content == b"last words"
    [record] = records
    assert (record.bytes_up, record.bytes_down) == (4, 10)


async def test_a_websocket_has_a_connection_of_its_own() -> None:
    """An idle one may be stale, and a handshake is not sent twice."""

    async def answer(visit: Visit) -> None:
        while head := await visit.head():
            await visit.say(SWITCH if b"websocket" in head else OK)

    async with proxying(answer) as (dispatcher, jupyter, _):
        page = MemoryFront()
        page.ask(dispatcher)
        assert await page.ended == "complete"
        websocket = MemoryFront(*WEBSOCKET)
        websocket.ask(dispatcher)
        tunnel = await websocket.tunnel
        assert len(jupyter.visits) == 2
        tunnel.client_lost(None)
