"""A WebSocket through the whole proxying: what is recorded of it, and how it ends."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from proxy.messages import TunnelEnd
from proxy.net.reset import reset
from proxy.proxying.activity import Activity
from proxy.proxying.router import Router
from proxy.rules.head import NO_FIELDS, Field
from tests.proxying.memory_front import MemoryFront
from tests.proxying.test_messages import SWITCH, WEBSOCKET, proxying
from tests.upstreams import OK, Visit


async def test_an_idle_websocket_holds_no_fields() -> None:
    async def accept(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH)
        await visit.reader.read()

    async with proxying(accept) as (dispatcher, _, records):
        client = MemoryFront(*WEBSOCKET, (b"User-Agent", b"a"), (b"user-agent", b"b"))
        client.ask(dispatcher)
        tunnel = await client.tunnel
        client.leave()
        assert not records, "the tunnel goes on until its connection ends"
        tunnel.client_lost(None)
        [record] = records
    assert (record.head.method, record.head.target) == (b"GET", b"/x")
    assert record.head.arrival == client.head.arrival
    assert record.head.section is NO_FIELDS
    assert record.user_agent == b"a, b", "the access log needs it"
    assert (record.outcome, record.status) == ("tunnelled", 101)


async def test_what_passes_in_a_websocket_is_activity_of_its_route() -> None:
    activity = Activity(0.0)
    async with proxying(accept_and_wait) as (dispatcher, _, _):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.jupyter = replace(router.jupyter, activity=activity)
        client = MemoryFront(*WEBSOCKET)
        client.ask(dispatcher)
        tunnel = await client.tunnel
        activity.at = 0.0
        tunnel.feed_data(b"ping")
        tunnel.client_lost(None)
    assert activity.at > 0.0


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


class LeavesBefore101(MemoryFront):
    """A client that is gone when its 101 comes, and of which nothing was heard yet."""

    def upgrade(self, reason: bytes, fields: list[Field]) -> MemoryFront:
        raise ConnectionResetError("the client went away")


class FailsToStart(MemoryFront):
    """A front with a fault."""

    def start(self, end: TunnelEnd) -> None:
        raise RuntimeError("a fault")

    def finish(self) -> None:
        """It has failed already."""


async def accept_and_wait(visit: Visit) -> None:
    await visit.head()
    await visit.say(SWITCH)
    await visit.reader.read()


async def test_jupyter_is_let_go_of_when_the_client_left_before_the_101(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ended = asyncio.Event()

    async def accept(visit: Visit) -> None:
        try:
            await accept_and_wait(visit)
        finally:
            ended.set()

    async with proxying(accept) as (dispatcher, _, records):
        client = LeavesBefore101(*WEBSOCKET)
        client.ask(dispatcher)
        assert await client.ended == "aborted"
        await ended.wait()
        assert dispatcher.services.open_requests.count == 0
    [record] = records
    assert record.outcome == "the client went away"
    assert not caplog.records, "it is no fault of labgate's"


async def test_a_tunnel_that_does_not_open_is_none_that_a_drain_leaves_out() -> None:
    ended = asyncio.Event()

    async def accept(visit: Visit) -> None:
        try:
            await accept_and_wait(visit)
        finally:
            ended.set()

    async with proxying(accept) as (dispatcher, _, records):
        client = FailsToStart(*WEBSOCKET)
        client.ask(dispatcher)
        with pytest.raises(RuntimeError, match="a fault"):
            await client.ended
        open_requests = dispatcher.services.open_requests
        assert (open_requests.count, open_requests.tunnels) == (0, {})
        await ended.wait()
    assert len(records) == 1
