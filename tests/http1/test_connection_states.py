"""The tables of a connection's states: ``watch_states`` holds every change against them."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.http1 import server_connection
from proxy.http1.connection_states import CLIENT_TABLE, SERVER_TABLE, ClientState, ServerState
from proxy.http1.server_connection import ServerConnection
from tests.edges import edge
from tests.http1.test_accepted_connection import GET, PUT, Site, connected
from tests.http1.test_endings import CHUNKED, SWITCH, WEBSOCKET, until
from tests.http1.test_server_connection_in_memory import CLOSE, PUT_AND_CLOSE
from tests.http1.watch_states import Change, is_in_table
from tests.upstreams import OK, Visit, upstream

MALFORMED = b"GET /\r\n\r\n"

Step = bytes | Callable[[Site, ServerConnection], object]
"""What the client sends, or what else happens."""


def answer(site: Site, connection: ServerConnection) -> None:
    site.answer()


def upgrade(site: Site, connection: ServerConnection) -> None:
    site.responders[-1].upgrade(b"Switching Protocols", [])


def stop_reading(site: Site, connection: ServerConnection) -> None:
    connection.pause_writing()


def go_away(site: Site, connection: ServerConnection) -> None:
    connection.connection_lost(None)


CHANGES: dict[Change, tuple[Step, ...]] = {
    (ClientState.HEAD, ClientState.BODY): (PUT,),
    (ClientState.HEAD, ClientState.CHUNKED_BODY): (CHUNKED,),
    (ClientState.HEAD, ClientState.DONE): (GET,),
    (ClientState.HEAD, ClientState.IGNORED): (MALFORMED,),
    (ClientState.BODY, ClientState.DONE): (PUT, b"12345", b"6789"),
    (ClientState.BODY, ClientState.HEAD): (PUT, b"12345", answer, b"6789"),
    (ClientState.BODY, ClientState.IGNORED): (PUT_AND_CLOSE, b"12345", answer),
    (ClientState.CHUNKED_BODY, ClientState.IGNORED): (CHUNKED, answer),
    (ClientState.DONE, ClientState.HEAD): (GET, answer),
    (ClientState.DONE, ClientState.SWITCHED): (GET, upgrade),
    (ClientState.DONE, ClientState.IGNORED): (CLOSE, b"more", answer),
    (ServerState.IDLE, ServerState.QUEUED): (stop_reading, GET),
    (ServerState.IDLE, ServerState.LINGERING): (MALFORMED,),
    (ServerState.IDLE, ServerState.CLOSED): (go_away,),
    (ServerState.QUEUED, ServerState.RESPONDING): (GET,),
    (ServerState.QUEUED, ServerState.CLOSED): (stop_reading, GET, go_away),
    (ServerState.RESPONDING, ServerState.IDLE): (GET, answer),
    (ServerState.RESPONDING, ServerState.SWITCHED): (GET, upgrade),
    (ServerState.RESPONDING, ServerState.LINGERING): (CLOSE, b"more", answer),
    (ServerState.RESPONDING, ServerState.CLOSED): (CLOSE, answer),
    (ServerState.LINGERING, ServerState.CLOSED): (MALFORMED, go_away),
}
"""For each change of the tables what leads to it; the last step makes it."""


def name(change: Change) -> str:
    """As a test is called."""
    return " to ".join(state.name for state in change)


def test_every_state_has_its_row() -> None:
    assert set(CLIENT_TABLE) == set(ClientState)
    assert set(SERVER_TABLE) == set(ServerState)


def test_every_change_of_the_tables_is_made_below() -> None:
    client = {(old, new) for old, after in CLIENT_TABLE.items() for new in after}
    server = {(old, new) for old, after in SERVER_TABLE.items() for new in after}
    assert set(CHANGES) == client | server


@pytest.mark.parametrize("change", CHANGES, ids=name)
async def test_a_change_happens(change: Change, state_changes: set[Change]) -> None:
    site = Site()
    connection, _ = await connected(site)
    for step in CHANGES[change]:
        assert change not in state_changes
        if isinstance(step, bytes):
            connection.data_received(step)
        else:
            step(site, connection)
    assert change in state_changes


def test_one_method_leads_into_each_of_labgates_states() -> None:
    source = Path(server_connection.__file__).read_text()
    entered = Counter(re.findall(r"self\._state\b[^=\n]* = .*\bServerState\.(\w+)", source))
    at_first = Counter([ServerState.IDLE.name])
    assert entered - at_first == Counter(state.name for state in ServerState)


def test_nothing_follows_the_end() -> None:
    assert not SERVER_TABLE[ServerState.CLOSED]
    assert not SERVER_TABLE[ServerState.SWITCHED]
    assert not CLIENT_TABLE[ClientState.IGNORED]
    assert not is_in_table((ServerState.CLOSED, ServerState.RESPONDING))


async def test_a_life_from_idle_to_switched(state_changes: set[Change]) -> None:
    """Two requests and a WebSocket over one connection."""

    async def respond(visit: Visit) -> None:
        while head := await visit.head():
            await visit.say(SWITCH if b"websocket" in head else OK)

    async with asyncio.timeout(60), upstream(respond) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(GET + GET + WEBSOCKET)
        await reader.readuntil(b"101 ")
        await until(lambda: bool(labgate.open_requests.tunnels))
    assert state_changes == {
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
