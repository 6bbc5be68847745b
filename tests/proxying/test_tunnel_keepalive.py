"""Pings on silent WebSockets, with real clients and servers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import Server, ServerConnection, serve

from proxy.inspector.frames import Frame, FrameParser, Opcode
from proxy.net.upstream_address import UpstreamAddress
from proxy.proxying.open_requests import MAX_CHECK_SECONDS
from proxy.proxying.tunnel_keepalive import MAX_UNANSWERED, TunnelKeepalive
from tests.bench.frames import client_frame, server_frame
from tests.edges import Edge, edge
from tests.proxying.test_frame_walker import MASK, frame
from tests.upstreams import Visit, upstream

SECONDS = 45.0


def silent_for(keepalive: TunnelKeepalive, seconds: float, passed: int = 0) -> bytes:
    """The ping that is due after so long."""
    return keepalive.due_ping(passed, keepalive._silent_since + seconds, SECONDS)


def test_a_ping_is_due_after_silence_in_both_directions_and_again_after_more_of_it() -> None:
    keepalive = TunnelKeepalive()
    assert silent_for(keepalive, 44.9) == b""
    assert silent_for(keepalive, 45.1, passed=1) == b"", "something has passed"
    assert silent_for(keepalive, 44.9, passed=1) == b""
    first = silent_for(keepalive, 45.1, passed=1)
    assert first[:2] == b"\x89\x08"
    assert silent_for(keepalive, 44.9, passed=1) == b""
    second = silent_for(keepalive, 45.1, passed=1)
    assert second[:2] == b"\x89\x08"
    assert first != second, "random"


STATES = [
    pytest.param(b"", b"", True, id="between frames"),
    pytest.param(server_frame(8)[:5], b"", False, id="inside a frame of Jupyter's"),
    pytest.param(server_frame(300)[:3], b"", False, id="inside the header of one"),
    pytest.param(frame(0x01, b"half"), b"", True, id="between two fragments"),
    pytest.param(frame(0x88, b""), b"", False, id="after a close frame of Jupyter's"),
    pytest.param(b"", client_frame(8)[:9], True, id="inside a frame of the client's"),
    pytest.param(b"", frame(0x88, b"", MASK), False, id="after a close frame of the client's"),
    pytest.param(b"", server_frame(8), False, id="a client that breaks the rules"),
]


@pytest.mark.parametrize(("down", "up", "pinged"), STATES)
def test_no_ping_where_no_frame_may_begin(down: bytes, up: bytes, pinged: bool) -> None:
    keepalive = TunnelKeepalive()
    if down:
        keepalive.down.walk(down)
    if up:
        keepalive.up.walk(up)
    assert bool(silent_for(keepalive, 45.1)) == pinged


def test_the_pongs_of_the_latest_pings_are_left_out() -> None:
    keepalive = TunnelKeepalive()
    pings = [silent_for(keepalive, 45.1) for _ in range(MAX_UNANSWERED + 1)]
    pongs = [frame(0x8A, one[2:], MASK) for one in pings]
    assert keepalive.without_pongs(b"".join(pongs)) == pongs[0]
    assert not keepalive.waiting
    assert keepalive.without_pongs(pongs[1]) == pongs[1], "it has been answered"


def test_a_pong_may_come_behind_other_frames_and_later() -> None:
    keepalive = TunnelKeepalive()
    pong = frame(0x8A, silent_for(keepalive, 45.1)[2:], MASK)
    assert keepalive.without_pongs(client_frame(5)) == client_frame(5)
    assert keepalive.waiting, "for the pong"
    assert keepalive.without_pongs(pong) == b""
    assert not keepalive.waiting


async def ping_all(labgate: Edge) -> None:
    """As the timer does after a long silence."""
    open_requests = labgate.open_requests
    for tunnel in list(open_requests.tunnels):
        keepalive = tunnel.keepalive
        assert keepalive is not None
        now = keepalive._silent_since
        tunnel.ping_if_silent(now, 1.0)  # takes notice of what has passed
        tunnel.ping_if_silent(now + 1.0, 1.0)


async def echo(connection: ServerConnection) -> None:
    async for message in connection:
        if message == "ping":
            await (await connection.ping())
        await connection.send(message)


@asynccontextmanager
async def opened(**options: object) -> AsyncIterator[tuple[Edge, ClientConnection, Server]]:
    """A real client, labgate, and a real server that does as it is told."""
    async with serve(echo, "127.0.0.1", 0, ping_interval=None) as server:
        port = server.sockets[0].getsockname()[1]
        async with edge(UpstreamAddress("127.0.0.1", port)) as labgate:
            labgate.open_requests.ping_seconds = SECONDS
            async with connect(
                "ws://lab.example.org/api/events/subscribe",
                host="127.0.0.1",
                port=labgate.port,
                origin="https://lab.example.org",  # type: ignore[arg-type]
                ping_interval=None,
                **options,  # type: ignore[arg-type]
            ) as client:
                yield labgate, client, server


def seen(caplog: pytest.LogCaptureFixture, side: str, kind: str) -> int:
    """How many such frames a side has received, as its library logs them."""
    return sum(
        one.name == f"websockets.{side}" and f"< {kind}" in one.getMessage()
        for one in caplog.records
    )


@pytest.mark.parametrize("compression", ["deflate", None])
async def test_a_real_client_answers_and_the_server_hears_nothing(
    compression: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with opened(compression=compression) as (labgate, client, _):
        text = "x" * 70_000
        for number in range(3):
            await client.send(text)
            assert await client.recv() == text
            await client.send(["one ", "message in ", "fragments"])
            assert await client.recv() == "one message in fragments"
            await ping_all(labgate)
            await client.send("ping")
            assert await client.recv() == "ping"
            assert seen(caplog, "client", "PING") == 2 * (number + 1), "labgate's and the server's"
        (tunnel,) = labgate.open_requests.tunnels
        keepalive = tunnel.keepalive
        assert keepalive is not None
        assert keepalive.unanswered == []
    assert seen(caplog, "server", "PONG") == 3, "to its own pings only"


async def test_what_is_pinged_counts_as_silent() -> None:
    async with opened(compression=None) as (labgate, client, _):
        await client.send("a")
        await client.recv()
        (tunnel,) = labgate.open_requests.tunnels
        before = tunnel.bytes_up, tunnel.bytes_down
        await ping_all(labgate)
        await client.send("a")
        await client.recv()
        assert tunnel.keepalive is not None
        assert tunnel.keepalive.unanswered == []
        assert (tunnel.bytes_up, tunnel.bytes_down) == (before[0] + 7, before[1] + 3)


HANDSHAKE = (
    b"GET /ws HTTP/1.1\r\nHost: lab.example.org\r\nOrigin: https://lab.example.org\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCHED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)


async def test_a_pong_in_two_pieces_among_other_frames() -> None:
    arrived = asyncio.Event()
    received = bytearray()
    first, last = client_frame(5), client_frame(200)

    async def jupyter(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCHED + server_frame(3))
        while len(received) < len(first + last):
            received.extend(await visit.reader.read(2**16))
        arrived.set()

    async with upstream(jupyter) as behind, edge(behind.address) as labgate:
        labgate.open_requests.ping_seconds = SECONDS
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        assert await reader.readexactly(5) == server_frame(3)
        await ping_all(labgate)
        parser, frames = FrameParser(125), list[Frame]()
        while not frames:
            frames += parser.feed(await reader.read(100))
        assert frames[0].opcode == Opcode.PING
        pong = frame(0x8A, frames[0].payload, MASK)
        (tunnel,) = labgate.open_requests.tunnels
        keepalive = tunnel.keepalive
        assert keepalive is not None
        writer.write(first + pong[:5])
        async with asyncio.timeout(30):
            while keepalive.up.held != pong[:5]:  # noqa: ASYNC110  it has no event
                await asyncio.sleep(0.001)
        writer.write(pong[5:] + last)
        await asyncio.wait_for(arrived.wait(), 30)
    assert received == first + last


async def test_the_timer_looks_at_all_of_them_and_not_too_often() -> None:
    async with opened() as (labgate, _, _):
        (tunnel,) = labgate.open_requests.tunnels
        keepalive = tunnel.keepalive
        assert keepalive is not None
        keepalive._silent_since -= SECONDS
        await labgate.open_requests.ping_silent(monotonic())
        assert len(keepalive.unanswered) == 1
        keepalive._silent_since -= SECONDS
        await labgate.open_requests.ping_silent(monotonic())
        assert len(keepalive.unanswered) <= 1, "at most every few seconds"
        labgate.open_requests._pings_checked_at -= MAX_CHECK_SECONDS
        await labgate.open_requests.ping_silent(monotonic())
        assert len(keepalive.unanswered) == 2


async def test_the_timer_looks_ten_times_in_a_short_silence() -> None:
    async with opened() as (labgate, _, _):
        (tunnel,) = labgate.open_requests.tunnels
        labgate.open_requests.ping_seconds = MAX_CHECK_SECONDS
        labgate.open_requests._pings_checked_at -= MAX_CHECK_SECONDS / 10
        keepalive = tunnel.keepalive
        assert keepalive is not None
        keepalive._silent_since -= MAX_CHECK_SECONDS
        await labgate.open_requests.ping_silent(monotonic())
        assert len(keepalive.unanswered) == 1


async def test_no_pings_cost_nothing() -> None:
    async with opened() as (labgate, client, _):
        labgate.open_requests.ping_seconds = 0.0
        await labgate.open_requests.ping_silent(monotonic())
        await client.send("a")
        assert await client.recv() == "a"
        (tunnel,) = labgate.open_requests.tunnels
        assert tunnel.keepalive is not None, "it was opened before"
        assert tunnel.keepalive.unanswered == []
