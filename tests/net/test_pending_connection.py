"""What happens to a connection before it is one, over real sockets.

127.0.0.2 is a crowd of one address, 127.0.0.3 somebody else.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace

import pytest

from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.net.listener import Listener
from proxy.net.ports import BACKLOG, bind
from proxy.net.reset import reset
from proxy.tls.client_hello import MAX_HELLO_BYTES
from tests.certificates import AUTHORITY
from tests.edges import Edge, edge, enforcing_timeouts, request
from tests.tls.test_client_hello import divided, hello
from tests.upstreams import OK, says, upstream

pytestmark = pytest.mark.both_loops

PATIENCE_SECONDS = 30.0
CROWD, OTHER = "127.0.0.2", "127.0.0.3"

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Secure:
    """A running edge with a port for HTTPS."""

    def __init__(self, labgate: Edge, listener: Listener, port: int) -> None:
        self.labgate = labgate
        self.server = labgate.server
        self.listener = listener
        self.port = port

    async def connect(self, source: str = CROWD, data: bytes = b"") -> Streams:
        streams = await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0))
        self.labgate.writers.append(streams[1])
        streams[1].write(data)
        return streams

    async def ask(self, source: str = OTHER) -> bytes:
        """Over TLS; the whole answer."""
        trusting = ssl.create_default_context()
        AUTHORITY.configure_trust(trusting)
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            self.port,
            local_addr=(source, 0),
            ssl=trusting,
            server_hostname="lab.example.org",
        )
        self.labgate.writers.append(writer)
        writer.write(request())
        answer = await reader.read()
        writer.close()
        return answer


@asynccontextmanager
async def secure(context: ssl.SSLContext, limits: Limits = DEFAULT_LIMITS) -> AsyncIterator[Secure]:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        upstream(says(*[OK] * 9)) as jupyter,
        edge(jupyter.address, limits=limits) as labgate,
    ):
        (listening,) = bind(["127.0.0.1"], 0, "--https-port")
        port = listening.getsockname()[1]
        listener = Listener(labgate.server, listening, context, BACKLOG)
        try:
            yield Secure(labgate, listener, port)
        finally:
            listener.close()


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110  counts have no event
        await asyncio.sleep(0.001)


async def ended(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, however it does."""
    with suppress(ConnectionResetError):
        return await reader.read()
    return b""


STARTS = [
    pytest.param(b"", id="silent"),
    pytest.param(hello()[:1], id="an octet"),
    pytest.param(hello()[:-1], id="all but an octet"),
    pytest.param(divided(hello(), 7)[:-9], id="records"),
]


@pytest.mark.parametrize("start", STARTS)
async def test_it_counts_from_the_first_moment_on(start: bytes, context: ssl.SSLContext) -> None:
    limits = replace(DEFAULT_LIMITS, connections=5, connections_per_address=2)
    async with secure(context, limits) as labgate:
        server = labgate.server
        for _ in range(2):
            await labgate.connect(CROWD, start)
        await until(lambda: len(labgate.listener.pending) == 2)
        assert len(server.connection_limit) == 2
        with suppress(ConnectionResetError):
            reader, _ = await labgate.connect(CROWD, start)
            pytest.fail(f"it was let in, and received {await reader.read()!r}")
        assert (await labgate.ask(OTHER)).endswith(b"ok")
        await until(lambda: len(server.connection_limit) == 2)


async def test_an_established_connection_counts_once(context: ssl.SSLContext) -> None:
    async with secure(context, replace(DEFAULT_LIMITS, connections=1)) as labgate:
        for _ in range(3):
            assert (await labgate.ask()).endswith(b"ok")
            await until(lambda: not labgate.server.connection_limit)
        assert not labgate.listener.pending


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("leaves", [False, True])
async def test_tls_begins_with_a_whole_hello(
    start: bytes, leaves: bool, context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its state takes fifty times the memory of a socket."""
    begun = 0
    wrap = type(context).wrap_bio

    def counted(*arguments: object, **options: object) -> ssl.SSLObject:
        nonlocal begun
        begun += 1
        return wrap(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(type(context), "wrap_bio", counted)
    async with secure(context) as labgate:
        _, writer = await labgate.connect(CROWD, start)
        await until(lambda: labgate.listener.pending)
        if leaves:
            writer.write_eof()
            await until(lambda: not labgate.listener.pending)
        assert (await labgate.ask(OTHER)).endswith(b"ok")
        assert len(labgate.listener.pending) == (0 if leaves else 1)
        assert begun == 1, "for the other client alone"


async def shaken(labgate: Secure, size: int) -> bytes:
    """A handshake whose hello comes in records of ``size`` and single octets; the answer."""
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trusting.wrap_bio(incoming, outgoing, server_hostname="lab.example.org")
    reader, writer = await labgate.connect()
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    octets = divided(outgoing.read(), size)
    for at in range(len(octets)):
        writer.write(octets[at : at + 1])
        for _ in range(2):
            await asyncio.sleep(0)
    while True:
        incoming.write(await reader.read(65536))
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            writer.write(outgoing.read())
    client.write(request())
    writer.write(outgoing.read())
    answer = b""
    while not answer.endswith(b"ok"):
        with suppress(ssl.SSLWantReadError):
            answer += client.read(65536)
            continue
        incoming.write(await reader.read(65536))
    return answer


@pytest.mark.parametrize("size", [1, 60, 16_000])
async def test_a_hello_may_come_in_pieces(size: int, context: ssl.SSLContext) -> None:
    async with secure(context) as labgate:
        assert (await shaken(labgate, size)).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("way", ["FIN", "half a FIN", "RST"])
async def test_who_leaves_is_gone_accepts(start: bytes, way: str, context: ssl.SSLContext) -> None:
    async with secure(context) as labgate:
        before = descriptors()
        _, writer = await labgate.connect(CROWD, start)
        await until(lambda: labgate.listener.pending)
        if way == "RST":
            reset(writer.transport)
        elif way == "FIN":
            writer.close()
        else:
            writer.write_eof()
        await until(lambda: not labgate.listener.pending and not labgate.server.connection_limit)
        writer.close()
        await until(lambda: descriptors() <= before)


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("start", STARTS)
async def test_a_client_that_takes_too_long_is_disconnected(
    start: bytes, context: ssl.SSLContext
) -> None:
    limits = replace(DEFAULT_LIMITS, handshake_seconds=0.05)
    async with (
        secure(context, limits) as labgate,
        enforcing_timeouts(labgate.labgate, labgate.listener),
    ):
        reader, _ = await labgate.connect(CROWD, start)
        assert await ended(reader) == b""
        await until(lambda: not labgate.listener.pending and not labgate.server.connection_limit)


async def test_a_handshake_that_stops_times_out(context: ssl.SSLContext) -> None:
    limits = replace(DEFAULT_LIMITS, handshake_seconds=0.2)
    async with secure(context, limits) as labgate:
        reader, _ = await labgate.connect(CROWD, hello())
        assert (await ended(reader))[:1] == b"\x16", "the server's hello"
        await until(lambda: not labgate.listener.pending and not labgate.server.connection_limit)


NO_HELLOS = [
    pytest.param(b"\x80\x2e\x01\x00\x02", id="SSL 2"),
    pytest.param(b"\0" * 100, id="zeros"),
    pytest.param(b"\r\n", id="an empty line"),
    pytest.param(b"\x16\x03\x01\xff\xff\x01" + b"x" * 100, id="a record without end"),
    pytest.param(b"\x16\x03\x01\x20\x00\x01\xff\xff\xff" + b"x" * 8192, id="a hello without end"),
    pytest.param(
        b"\x16\x03\x01\x00\x01\x01\x16\x03\x01\x00\x03\x00\x3f\xff"
        + b"\x16\x03\x01\x00\x01x" * (MAX_HELLO_BYTES // 6),
        id="records of one octet",
    ),
]


@pytest.mark.parametrize("data", NO_HELLOS)
async def test_what_is_no_hello_is_reset(data: bytes, context: ssl.SSLContext) -> None:
    async with secure(context) as labgate:
        reader, _ = await labgate.connect(CROWD, data)
        assert await ended(reader) == b""
        await until(lambda: not labgate.listener.pending and not labgate.server.connection_limit)


async def test_a_faulty_hello_gets_an_alert(context: ssl.SSLContext) -> None:
    async with secure(context) as labgate:
        faulty = hello()
        reader, writer = await labgate.connect(CROWD, faulty[:9] + b"\xff" * (len(faulty) - 9))
        assert (await reader.readexactly(7))[:1] == b"\x15"
        writer.close()
        await until(lambda: not labgate.listener.pending and not labgate.server.connection_limit)


PLAIN = [
    pytest.param(request(), id="GET"),
    pytest.param(request(b"/", b"Content-Length: 5", method=b"PUT", content=b"hello"), id="PUT"),
    pytest.param(b"G", id="an octet"),
    pytest.param(b"SSH-2.0-OpenSSH_9.2\r\n", id="SSH"),
]


@pytest.mark.parametrize("data", PLAIN)
async def test_plain_http_on_the_https_port_is_400(data: bytes, context: ssl.SSLContext) -> None:
    async with secure(context) as labgate:
        reader, writer = await labgate.connect(CROWD, data)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"\r\nConnection: close\r\n" in answer
        assert b"This port speaks HTTPS" in answer
        assert len(labgate.server.connection_limit) == 1, (
            "it counts, and what it still sends is read"
        )
        writer.close()
        await until(lambda: not labgate.server.connection_limit)
        assert not labgate.labgate.records, "nothing was asked of anybody"


async def test_closing_drops_every_pending_connection(context: ssl.SSLContext) -> None:
    async with secure(context) as labgate:
        opened = [await labgate.connect(CROWD, start) for start in (b"", hello()[:9], hello())]
        shaking, _ = opened[-1]
        assert (await shaking.readexactly(1)) == b"\x16"
        await until(lambda: len(labgate.listener.pending) == 3)
        labgate.listener.close()
        for reader, _ in opened:
            await ended(reader)
        await until(lambda: not labgate.listener.pending and not labgate.server.connection_limit)


async def test_closing_drops_what_has_only_just_come(context: ssl.SSLContext) -> None:
    """A task that is ended before its first step runs none of its own endings."""
    async with secure(context) as labgate:
        before = descriptors()
        with socket.create_connection(("127.0.0.1", labgate.port)) as client:
            client.sendall(hello())
            # By hand, so that nothing else has a turn in between.
            labgate.listener._accept()
            (pending,) = labgate.listener.pending
            assert pending._task is not None
            labgate.listener.close()
            assert not labgate.listener.pending
            assert not labgate.server.connection_limit
            assert descriptors() <= before
        await asyncio.sleep(0)


@pytest.mark.own_protocol("aiohttp's server does not pass on how long the handshake took")
async def test_the_inspector_tells_how_long_the_handshake_took(context: ssl.SSLContext) -> None:
    async with secure(context) as labgate:
        labgate.labgate.inspect()
        await labgate.ask()
        [exchange] = labgate.labgate.captured
    assert exchange.times.tls is not None
    assert exchange.times.tls > 0
