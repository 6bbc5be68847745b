"""The client's connection after a 101: another object, to which the transport hands its bytes."""

from __future__ import annotations

import asyncio
import gc

import pytest

from proxy.http1.request_parser import RequestParser
from proxy.http1.response_writer import ResponseWriter
from proxy.http1.server_connection import ServerConnection
from proxy.http1.timeouts import ConnectionTimeouts
from proxy.http1.upgraded_connection import UpgradedConnection
from proxy.rules.head import FieldSection
from tests.edges import edge
from tests.http1.test_endings import SWITCH, WEBSOCKET, until
from tests.upstreams import Visit, upstream


async def test_bytes_before_the_101_reach_the_tunnel_first() -> None:
    received = b""
    sent_early, complete = asyncio.Event(), asyncio.Event()

    async def answer(visit: Visit) -> None:
        nonlocal received
        await visit.head()
        await sent_early.wait()
        await visit.say(SWITCH)
        received = await visit.reader.readexactly(len(b"early late"))
        complete.set()

    async with asyncio.timeout(60), upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(WEBSOCKET + b"early")
        await until(lambda: bool(labgate.open_requests.count))
        (previous,) = labgate.server.connections
        assert isinstance(previous, ServerConnection)
        sent_early.set()
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b" late")
        await complete.wait()
        (connection,) = labgate.server.connections
        assert isinstance(connection, UpgradedConnection)
        assert connection.client == previous.client
    assert received == b"early late"


async def test_a_loss_reported_to_the_previous_object_ends_the_tunnel() -> None:
    """Over TLS the event loop chooses whom to call before the 101, and calls after it."""

    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH)
        await visit.reader.read()

    async with asyncio.timeout(60), upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        await until(lambda: bool(labgate.server.connections))
        (previous,) = labgate.server.connections
        writer.write(WEBSOCKET)
        await reader.readuntil(b"\r\n\r\n")
        assert len(labgate.server.connections) == 1
        assert previous not in labgate.server.connections
        (connection,) = labgate.server.connections
        previous.connection_lost(None)
        assert connection.transport is None
        assert not labgate.server.connections
        assert len(labgate.server.connection_limit) == 0
        await until(lambda: not labgate.open_requests.tunnels)


async def test_an_idle_tunnel_holds_no_objects_of_http() -> None:
    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH)
        await visit.reader.read()

    async with asyncio.timeout(60), upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        await until(lambda: bool(labgate.server.connections))
        (previous,) = labgate.server.connections
        writer.write(WEBSOCKET)
        await reader.readuntil(b"\r\n\r\n")
        await until(lambda: bool(labgate.open_requests.tunnels))
        kinds = {type(kept) for kept in gc.get_referents(previous)}
        assert not kinds & {RequestParser, ResponseWriter, ConnectionTimeouts, FieldSection, tuple}
        # Whoever holds the responder of the handshake can still abort.
        previous.abort()
        with pytest.raises(ConnectionResetError):
            await reader.read()
        await until(lambda: not labgate.open_requests.tunnels)
