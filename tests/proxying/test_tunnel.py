"""WebSockets: dialled first, then raw bytes both ways, breaks included."""

from __future__ import annotations

import asyncio

import pytest

from proxy.net.upstream_address import UpstreamAddress
from tests.edges import edge
from tests.upstreams import Visit, says, upstream

pytestmark = pytest.mark.both_loops

HANDSHAKE = (
    b"GET /terminals/websocket/1 HTTP/1.1\r\nHost: lab.example.org\r\n"
    b"Origin: https://lab.example.org\r\nConnection: keep-alive, Upgrade\r\n"
    b"Upgrade: websocket\r\nSec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n\r\n"
)
ACCEPTED = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: YWNj\r\nSec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n\r\n"
)


async def echo(visit: Visit) -> None:
    """Accept, greet right behind the 101, then send back whatever comes."""
    await visit.head()
    await visit.say(ACCEPTED + b"hello")
    while data := await visit.reader.read(65536):
        await visit.say(data)


async def test_bytes_right_behind_the_handshake_arrive_on_both_sides() -> None:
    async with upstream(echo) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE + b"first")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 ")
        assert b"Sec-WebSocket-Accept: YWNj\r\n" in head
        assert b"Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org\r\n" in head
        assert await reader.readexactly(10) == b"hellofirst"
        sent = jupyter.visits[0].received
    assert b"Upgrade: websocket\r\n" in sent
    assert b"Connection: Upgrade\r\n" in sent
    assert b"Origin: http://127.0.0.1:" in sent


async def test_big_messages_pass_with_backpressure() -> None:
    async with upstream(echo) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        await reader.readuntil(b"hello")
        data = bytes(range(256)) * 100_000
        writing = asyncio.ensure_future(_write_all(writer, data))
        assert await reader.readexactly(len(data)) == data
        await writing


async def _write_all(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()


async def test_a_refusal_is_relayed_as_it_is() -> None:
    refusal = b"HTTP/1.1 403 Forbidden\r\nX-Why: token\r\nContent-Length: 2\r\n\r\nno"
    async with upstream(says(refusal)) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 403 Forbidden\r\nX-Why: token\r\n")
        assert await reader.readexactly(2) == b"no"
        # The connection is an ordinary one again.
        writer.write(b"GET / HTTP/1.1\r\nHost: nobody\r\n\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 421 ")


async def test_jupyter_down_is_503_before_any_101() -> None:
    async with edge(UpstreamAddress("127.0.0.1", 1)) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 503 ")


async def test_when_jupyter_ends_so_does_the_client() -> None:
    async def short(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED + b"bye")

    async with upstream(short) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        assert (await reader.read()).endswith(b"\r\n\r\nbye")
        writer.close()


async def test_when_the_client_ends_so_does_jupyters_side() -> None:
    ended = asyncio.Event()

    async def until_end(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED)
        assert await visit.reader.read() == b"last words"
        await visit.say(b"answer after the FIN")
        ended.set()

    async with upstream(until_end) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"last words")
        writer.write_eof()
        assert await reader.read() == b"answer after the FIN"
        await asyncio.wait_for(ended.wait(), 30)


async def test_an_end_before_the_101_reaches_jupyter_too() -> None:
    asked, ended = asyncio.Event(), asyncio.Event()

    async def until_end(visit: Visit) -> None:
        await visit.head()
        await asyncio.wait_for(asked.wait(), 30)
        await visit.say(ACCEPTED)
        assert await visit.reader.read() == b"last words"
        ended.set()

    async with upstream(until_end) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE + b"last words")
        writer.write_eof()
        await asyncio.wait_for(jupyter.arrived.wait(), 30)
        asked.set()
        await asyncio.wait_for(ended.wait(), 10)
        assert (await reader.read()).startswith(b"HTTP/1.1 101 ")


async def test_a_break_stays_a_break() -> None:
    broken = asyncio.Event()

    async def until_break(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED)
        with pytest.raises(ConnectionResetError):
            await visit.reader.read()
        broken.set()

    async with upstream(until_break) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        for tunnel in labgate.open_requests.tunnels:
            tunnel.abort()
        await asyncio.wait_for(broken.wait(), 30)
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_tunnels_are_counted_and_recorded() -> None:
    async with upstream(echo) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE + b"abc")
        await reader.readuntil(b"helloabc")
        assert len(labgate.open_requests.tunnels) == 1
        writer.close()
        await asyncio.wait_for(labgate.recorded.wait(), 30)
        record = labgate.records[0]
    assert (record.outcome, record.bytes_up, record.bytes_down) == ("tunnelled", 3, 8)
