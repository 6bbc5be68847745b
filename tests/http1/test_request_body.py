"""A request's content: what comes in one segment with its end, and what nobody reads."""

from __future__ import annotations

import asyncio
import socket
import tracemalloc
from dataclasses import replace
from time import monotonic

import pytest

from proxy.errors import ClientFault
from proxy.http1.chunked_body import ChunkedBody
from proxy.http1.request_body import (
    EMPTY_BODY,
    EXPECT_CONTINUE_SECONDS,
    MAX_BUFFERED_BODY_BYTES,
    SizedBody,
)
from proxy.http1.server_connection import MAX_BUFFERED_BYTES, ServerConnection
from proxy.net.limits import DEFAULT_LIMITS
from proxy.net.upstream_address import UpstreamAddress
from tests.edges import edge
from tests.http1.test_endings import dialled, reset, same_moment, until
from tests.upstreams import OK, Visit, says, upstream
from tests.wire.talk import Recorder, Taps

pytestmark = pytest.mark.both_loops

SECONDS = 60.0
ONE_READ = 256 * 1024
"""Octets that an event loop takes from a socket at once, at most."""
LARGE = 20_000_000
"""More than all the kernel's buffers on the way."""
HOST = b"Host: lab.example.org\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 500000000\r\n\r\n"
WHOLE = CHUNKED + b"5\r\nhello\r\n0\r\n\r\n"
BEHIND = [
    pytest.param(b"CONNECT a:1 HTTP/1.1\r\n\r\n", id="CONNECT"),
    pytest.param(
        b"GET / HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", id="an upgrade"
    ),
    pytest.param(b"no request at all", id="garbage"),
]


@pytest.mark.parametrize("behind", BEHIND)
async def test_what_comes_behind_the_last_chunk_is_nobodys(
    behind: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder(lambda _: [OK])
    async with (
        asyncio.timeout(SECONDS),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        answer = await labgate.ask(WHOLE + behind)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert [one.complete for one in recorder.requests()] == [True]
    assert "Fatal error" not in caplog.text


async def test_requests_behind_chunks_do_not_reset_the_answer_away() -> None:
    """RFC 9112 section 9.6: the connection ends with this answer, which is to arrive."""
    size = 1_000_000

    async def answers(visit: Visit) -> None:
        await visit.head()
        await visit.reader.readuntil(b"0\r\n\r\n")
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
        await visit.reader.read()

    async with (
        asyncio.timeout(SECONDS),
        upstream(answers) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(WHOLE + GET)
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"Connection: close" in head
        writer.write(GET * 100)
        assert await reader.readexactly(size) == b"x" * size


@pytest.mark.parametrize("segments", [[WHOLE + GET], [WHOLE, GET]], ids=["one", "two"])
async def test_who_says_more_than_its_chunks_is_waited_for(
    segments: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Closed at once, octets that are still on their way would reset the answer away."""
    taken = Taps(monkeypatch).edge
    came, go = asyncio.Event(), asyncio.Event()

    async def answers(visit: Visit) -> None:
        await visit.head()
        await visit.reader.readuntil(b"0\r\n\r\n")
        came.set()
        await go.wait()
        await visit.say(OK)

    async with (
        asyncio.timeout(SECONDS),
        upstream(answers) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        for segment in segments:
            writer.write(segment)
            await came.wait()
        await taken.until(len(WHOLE + GET))
        go.set()
        assert (await reader.read()).endswith(b"ok")
        # It has ended its half only.
        assert labgate.server.connections


async def test_content_behind_a_buffered_request_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """While nobody reads it: the answer before it is awaited, then Jupyter is being dialled."""
    loop = asyncio.get_running_loop()
    taps = Taps(monkeypatch)
    fillers = [socket.socket() for _ in range(4)]
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listening:
        listening.setblocking(False)
        address = UpstreamAddress("127.0.0.1", listening.getsockname()[1])
        async with asyncio.timeout(SECONDS), edge(address) as labgate:
            client = await dialled(labgate, GET)
            jupyter, _ = await loop.sock_accept(listening)
            await loop.sock_recv(jupyter, 65536)
            # From here on a dial waits: the kernel's queue is full.
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(listening.getsockname())
            (connection,) = labgate.server.connections
            assert isinstance(connection, ServerConnection)
            transport = connection.transport
            assert transport is not None
            sending = asyncio.ensure_future(loop.sock_sendall(client, PUT + b"x" * LARGE))

            await until(lambda: not transport.is_reading() or sending.done())
            assert taps.edge.taken < MAX_BUFFERED_BYTES + ONE_READ
            end = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
            await loop.sock_sendall(jupyter, end)
            jupyter.close()
            # The next request has begun, and reads what is kept.
            await until(lambda: bool(labgate.records) and connection._body is not None)
            await until(lambda: not transport.is_reading() or sending.done())
            assert taps.edge.taken < MAX_BUFFERED_BYTES + MAX_BUFFERED_BODY_BYTES + 2 * ONE_READ
            sending.cancel()
            client.close()
    for filler in fillers:
        filler.close()


async def test_a_fault_behind_much_content_leaves_the_client_read() -> None:
    """RFC 9112 section 9.6: unread octets would reset the answer away."""
    taken = 0

    async def takes(visit: Visit) -> None:
        nonlocal taken
        await visit.head()
        while data := await visit.reader.read(2**20):
            taken += len(data)

    loop = asyncio.get_running_loop()
    async with (
        asyncio.timeout(SECONDS),
        upstream(takes) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        # So much that the kernel takes the rest in one piece.
        size = 8_000_000
        client = await dialled(labgate, CHUNKED)
        await loop.sock_sendall(client, b"%x\r\n" % size + b"x" * size + b"\r\n")
        await until(lambda: taken >= size)
        rest = MAX_BUFFERED_BODY_BYTES + 50_000
        same_moment(lambda: client.send(b"%x\r\n" % rest + b"x" * rest + b"\r\nzzz\r\n"))
        assert (await loop.sock_recv(client, 4096)).startswith(b"HTTP/1.1 400 ")
        (connection,) = labgate.server.connections
        assert connection.transport is not None
        assert connection.transport.is_reading()
        client.close()


@pytest.mark.parametrize("size", [98_000, MAX_BUFFERED_BODY_BYTES + 50_000])
async def test_a_client_that_leaves_behind_its_whole_content_is_noticed(size: int) -> None:
    asked = asyncio.Event()

    async def waits(visit: Visit) -> None:
        await visit.head()
        asked.set()
        await visit.reader.read()

    put = b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: %d\r\n\r\n" % size + b"x" * size
    async with (
        asyncio.timeout(SECONDS),
        upstream(waits) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        client = await dialled(labgate, b"")
        await until(lambda: bool(labgate.server.connections))
        same_moment(lambda: client.send(put))
        await asked.wait()
        reset(client)
        await until(lambda: not labgate.open_requests.count)


class Held:
    """A source that nobody asks anything."""

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def test_nobody_waits_for_100_for_ever() -> None:
    assert EXPECT_CONTINUE_SECONDS + DEFAULT_LIMITS.content_grace_seconds <= 60
    content = SizedBody(Held(), DEFAULT_LIMITS, 1, expects_continue=True)
    assert content.take() is None
    patience = monotonic() + EXPECT_CONTINUE_SECONDS
    for now in (patience - 10, patience - 1, patience + 1):
        content.check_pace(now, response_begun=False)
        assert content.take() is None
    content.check_pace(patience + DEFAULT_LIMITS.content_grace_seconds, response_begun=False)
    with pytest.raises(ClientFault):
        content.take()


def test_the_pace_is_judged_by_the_time_that_labgate_waits() -> None:
    content = SizedBody(Held(), replace(DEFAULT_LIMITS, content_grace_seconds=30.0), 9)
    now = monotonic()
    content.check_pace(now + 1000, response_begun=False)
    assert content.take() is None, "nobody had asked for it"
    content.check_pace(now + 29, response_begun=False)
    assert content.take() is None
    content.check_pace(now + 31, response_begun=False)
    with pytest.raises(ClientFault, match=r"^The request's content came too slowly\.$") as fault:
        content.take()
    assert fault.value.status == 408


def test_no_content_is_complete_from_the_beginning() -> None:
    assert (EMPTY_BODY.arrived(), EMPTY_BODY.take()) == (b"", b"")


def test_tiny_chunks_wait_as_what_they_contain() -> None:
    """Octets by twos would take twenty times their memory."""

    class Source:
        paused = False

        def pause_reading(self) -> None:
            self.paused = True

        def resume_reading(self) -> None:
            self.paused = False

    source = Source()
    content = ChunkedBody(source, DEFAULT_LIMITS, expects_continue=False)
    segment = b"2\r\nab\r\n" * 1000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        while not source.paused:
            content.feed(segment)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2 * MAX_BUFFERED_BODY_BYTES
    whole = content.take()
    assert whole is not None
    assert len(whole) > MAX_BUFFERED_BODY_BYTES
    assert whole.strip(b"ab") == b""
    assert not source.paused


@pytest.mark.parametrize(
    ("evil", "status"), [(b"Origin: https://evil.example\r\n", 403), (b"", 413)]
)
async def test_an_answer_in_place_of_100_ends_the_connection(evil: bytes, status: int) -> None:
    """The content may never come, and the next request would be taken for it."""
    refused = b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n"
    async with (
        asyncio.timeout(SECONDS),
        upstream(says(refused)) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        expecting = b"Expect: 100-continue\r\nContent-Length: 500\r\n\r\n"
        writer.write(b"POST / HTTP/1.1\r\n" + HOST + evil + expecting)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"Connection: close" in head


async def test_503_in_place_of_100_ends_the_connection() -> None:
    async with asyncio.timeout(SECONDS), edge(UpstreamAddress("127.0.0.1", 1)) as labgate:
        reader, writer = await labgate.connect()
        expecting = b"Expect: 100-continue\r\nContent-Length: 500\r\n\r\n"
        writer.write(b"POST / HTTP/1.1\r\n" + HOST + expecting)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503 ")
        assert b"Connection: close" in head
