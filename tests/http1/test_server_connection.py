"""One request at a time out of whatever arrives, and a refusal that reaches the client."""

from __future__ import annotations

import asyncio
import logging
import ssl

import pytest

from proxy.http1.accepted_connection import MAX_WRITE_BYTES, SLICED_BYTES
from proxy.http1.server_connection import MAX_BUFFERED_BYTES, ServerConnection
from tests.edges import Edge, edge, request
from tests.upstreams import OK, Visit, says, upstream
from tests.wire.talk import Recorder

HOST = b"Host: lab.example.org\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
REFUSED = (
    b"POST / HTTP/1.1\r\n" + HOST + b"Origin: https://evil.example\r\nContent-Length: 5\r\n\r\n"
)
SECONDS = 60.0


def connection_of(labgate: Edge) -> ServerConnection:
    (connection,) = labgate.server.connections
    assert isinstance(connection, ServerConnection)
    return connection


FAULTY = [
    pytest.param(b"GET / HTTP/1.1\r\nX: %b\r\n\r\n" % (b"a" * 5_000_000), 431, id="fields"),
    pytest.param(b"GET /%b HTTP/1.1\r\n\r\n" % (b"a" * 5_000_000), 414, id="target"),
    pytest.param(b"G@T / HTTP/1.1\r\n\r\n" + b"a" * 5_000_000, 400, id="line"),
    pytest.param(b"GET / HTTP/1.1\r\nX : a\r\n\r\n" + b"a" * 5_000_000, 400, id="field"),
]


@pytest.mark.parametrize(("data", "status"), FAULTY)
async def test_a_refusal_survives_what_is_still_coming(data: bytes, status: int) -> None:
    """RFC 9112 section 9.6: closing over unread octets would reset it away."""
    async with asyncio.timeout(SECONDS), edge(None) as labgate:
        answer = await labgate.ask(data)
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"Connection: close") == 1


@pytest.mark.own_protocol("aiohttp's parser refuses it, without a look at what it is")
async def test_tls_to_a_port_for_plain_http_is_called_so(caplog: pytest.LogCaptureFixture) -> None:
    """People see it when they type https:// for the wrong port, or a proxy in front does."""
    caplog.set_level(logging.INFO, "labgate")
    async with asyncio.timeout(SECONDS), edge(None) as labgate:
        # What came is no record of TLS: it is not the certificate that is refused.
        with pytest.raises(ssl.SSLError, match="WRONG_VERSION_NUMBER"):
            await asyncio.open_connection(
                "127.0.0.1", labgate.port, ssl=ssl.create_default_context()
            )
    (said,) = caplog.messages
    assert said == (
        "400 from 127.0.0.1: tls (TLS where plain HTTP is spoken; the client, or a proxy in front, "
        "must use http:// for this port)"
    )


async def test_pipelined_requests_wait_as_octets() -> None:
    """A parsed head takes many times the memory of its octets."""
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(visit: Visit) -> None:
        while await visit.head():
            arrived.set()
            await go.wait()
            await visit.say(OK)

    count = 4000
    async with (
        asyncio.timeout(SECONDS),
        upstream(slow) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(GET * count + request())
        await arrived.wait()
        connection = connection_of(labgate)
        while len(connection._parser.buffered) <= MAX_BUFFERED_BYTES:  # noqa: ASYNC110  no event says so
            await asyncio.sleep(0)
        assert connection.transport is not None
        assert not connection.transport.is_reading()
        go.set()
        answers = await reader.read()
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == count + 1


@pytest.mark.parametrize("rest", [b"", b"\r\n", b"GET / HT"])
async def test_pipelined_requests_before_a_half_close_are_answered(rest: bytes) -> None:
    async with (
        asyncio.timeout(SECONDS),
        upstream(says(OK, OK, OK)) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(GET * 3 + rest)
        writer.write_eof()
        assert (await reader.read()).count(b"HTTP/1.1 200 OK\r\n") == 3


@pytest.mark.parametrize("behind", [b"", GET, GET + GET])
async def test_an_answer_before_the_content_leaves_the_connection_usable(behind: bytes) -> None:
    async with (
        asyncio.timeout(SECONDS),
        upstream(says(OK, OK, OK)) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(REFUSED + b"12")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
        writer.write(b"345" + behind + request())
        answers = await reader.read()
    assert answers.count(b"HTTP/1.1 200 OK\r\n") == behind.count(b"GET ") + 1


POST = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
AROUND = [
    pytest.param(b"5;%b\r\nhello\r\n0\r\n\r\n" % (b"a" * 60_000), id="an extension"),
    pytest.param(b"0\r\n%b\r\n" % (b"X-T: %b\r\n" % (b"a" * 900) * 70), id="trailers"),
]


@pytest.mark.parametrize("last", AROUND)
async def test_too_much_around_chunks_is_refused_however_late(last: bytes) -> None:
    """In the very segment that completes the request, with all before it gone up already."""
    recorder = Recorder(lambda _: [OK])
    async with (
        asyncio.timeout(SECONDS),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(POST + b"5\r\nhello\r\n")
        while b"hello" not in jupyter.heads:  # noqa: ASYNC110  no event says so
            await asyncio.sleep(0)
        writer.write(last)
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert [one.complete for one in recorder.requests()] == [False]


@pytest.mark.parametrize("content", [5, 2**20])
async def test_malformed_chunks_are_refused_however_late(content: int) -> None:
    """Also where the parser meets them long after they came, behind content nobody had read."""
    recorder = Recorder(lambda _: [OK])
    async with (
        asyncio.timeout(SECONDS),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(POST + b"%x\r\n%b\r\nno size\r\n" % (content, b"a" * content))
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert [one.complete for one in recorder.requests()] == [False]


async def test_trailers_are_bounded_however_much_content_there_was() -> None:
    recorder = Recorder(lambda _: [OK])
    content = b"%x\r\n%b\r\n" % (2**20, b"a" * 2**20)
    trailers = b"X-T: %b\r\n" % (b"a" * 30_000) * 30
    async with (
        asyncio.timeout(SECONDS),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(POST + content + b"0\r\n" + trailers + b"\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    assert [one.complete for one in recorder.requests()] == [False]


class Taking(asyncio.Transport):
    """A transport that remembers the pieces it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.pieces: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.pieces.append(bytes(data))

    def is_closing(self) -> bool:
        return False


async def test_much_goes_down_in_slices_until_its_client_has_proven_to_read() -> None:
    """OpenSSL keeps room for the largest piece as long as the connection lives."""
    read = bytes(range(250)) * 1000
    async with asyncio.timeout(SECONDS), edge(None) as labgate:
        await labgate.connect()
        while not labgate.server.connections:  # noqa: ASYNC110  no event says so
            await asyncio.sleep(0)
        connection = connection_of(labgate)
        own, connection.transport = connection.transport, Taking()
        pieces = connection.transport.pieces
        try:
            for _ in range(SLICED_BYTES // len(read) + 1):
                pieces.clear()
                connection.write(read)
                assert b"".join(pieces) == read
                assert max(map(len, pieces)) <= MAX_WRITE_BYTES < len(read)
            pieces.clear()
            connection.write(read)
            assert pieces == [read]
        finally:
            connection.transport = own


async def test_a_drain_closes_after_the_request_in_progress_and_announces_it() -> None:
    """RFC 9112 section 9.6: whoever closes after a response says so in it."""
    arrived, go = asyncio.Event(), asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.head()
        arrived.set()
        await go.wait()
        await visit.say(OK)

    async with (
        asyncio.timeout(SECONDS),
        upstream(slow) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        idle, _ = await labgate.connect()
        writer.write(GET)
        await arrived.wait()
        labgate.server.drain()
        assert await idle.read() == b""
        go.set()
        response = await reader.read()
    assert response.startswith(b"HTTP/1.1 200 OK\r\n")
    assert response.count(b"Connection: close\r\n") == 1
