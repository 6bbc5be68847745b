"""The tables of a connection's states; every change is held against them by ``conftest``."""

from __future__ import annotations

import asyncio

from proxy.http1.connection_states import CLIENT_TABLE, SERVER_TABLE, ClientState, ServerState
from tests.edges import edge
from tests.http1.test_endings import CHUNKED, GET, SWITCH, WEBSOCKET, until
from tests.http1.watch_states import Change, is_in_table
from tests.upstreams import OK, Visit, upstream


def test_every_state_has_its_row() -> None:
    assert set(CLIENT_TABLE) == set(ClientState)
    assert set(SERVER_TABLE) == set(ServerState)


def test_nothing_follows_the_end() -> None:
    assert not SERVER_TABLE[ServerState.CLOSED]
    assert not CLIENT_TABLE[ClientState.IGNORED]
    assert not is_in_table((ServerState.CLOSED, ServerState.RESPONDING))


async def test_a_life_from_idle_to_switched(state_changes: set[Change]) -> None:
    """Two requests and a WebSocket over one connection."""

    async def answer(visit: Visit) -> None:
        while head := await visit.head():
            await visit.say(SWITCH if b"websocket" in head else OK)

    async with asyncio.timeout(60), upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(GET + GET + WEBSOCKET)
        await reader.readuntil(b"101 ")
        await until(lambda: bool(labgate.open_requests.tunnels))
    assert {change for change in state_changes if change[1] is not ServerState.CLOSED} == {
        (ClientState.HEAD, ClientState.DONE),
        (ClientState.DONE, ClientState.HEAD),
        (ClientState.DONE, ClientState.SWITCHED),
        (ServerState.IDLE, ServerState.QUEUED),
        (ServerState.QUEUED, ServerState.RESPONDING),
        (ServerState.RESPONDING, ServerState.IDLE),
        (ServerState.RESPONDING, ServerState.SWITCHED),
    }


async def test_an_early_refusal_lingers(state_changes: set[Change]) -> None:
    async with asyncio.timeout(60), edge(None) as labgate:
        reader, writer = await labgate.connect()
        writer.write(CHUNKED.replace(b"lab.example", b"evil.example"))
        assert (await reader.read()).startswith(b"HTTP/1.1 421 ")
    assert (ServerState.RESPONDING, ServerState.LINGERING) in state_changes
    assert (ClientState.CHUNKED_BODY, ClientState.IGNORED) in state_changes
