"""Clients that a load balancer names in a PROXY protocol header, over real sockets.

127.0.0.1 is the trusted sender, 127.0.0.2 a stranger.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from ipaddress import ip_address, ip_network

import pytest

from proxy.http1.server import Http1Server
from proxy.net import listener as accepting
from proxy.net.limits import DEFAULT_LIMITS, Limits, new_connection_limit
from proxy.net.listener import Listener
from proxy.net.pending_connection import PendingConnection
from proxy.net.ports import bind
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe import access_line
from proxy.rules.networks import Networks
from proxy.rules.proxy_protocol import V2_SIGNATURE
from proxy.rules.site import make_site
from proxy.runtime.tasks import spawn
from tests.certificates import AUTHORITY
from tests.edges import PUBLIC, Edge, edge, request
from tests.upstreams import OK, says, upstream

pytestmark = pytest.mark.both_loops

TRUSTED = Networks([ip_network("127.0.0.1"), ip_network("198.51.100.0/24")])
SENDER, STRANGER = "127.0.0.1", "127.0.0.2"
PATIENCE_SECONDS = 30.0

Split = Callable[[bytes], list[bytes]]


def whole(data: bytes) -> list[bytes]:
    return [data]


def octets(data: bytes) -> list[bytes]:
    return [data[n : n + 1] for n in range(len(data))]


def torn(data: bytes) -> list[bytes]:
    """In the middle of the header, whose end comes together with what is behind it."""
    return [data[:7], data[7:]]


def v1(client: str) -> bytes:
    family = "TCP6" if ":" in client else "TCP4"
    ours = "::1" if ":" in client else "192.0.2.80"
    return f"PROXY {family} {client} {ours} 56324 443\r\n".encode()


def v2(client: str, tail: bytes = b"\x04\x00\x02xx") -> bytes:
    packed = ip_address(client).packed
    rest = packed + bytes(len(packed)) + b"\xdc\x04\x01\xbb" + tail
    family = b"\x21" if len(packed) == 16 else b"\x11"
    return V2_SIGNATURE + b"\x21" + family + len(rest).to_bytes(2, "big") + rest


LOCAL = V2_SIGNATURE + b"\x20\x00\x00\x00"
UNSPECIFIED = V2_SIGNATURE + b"\x21\x00\x00\x00"
UNKNOWN = b"PROXY UNKNOWN\r\n"


class Behind:
    """An edge with a listener that takes the PROXY protocol from trusted addresses."""

    def __init__(self, labgate: Edge, port: int, listener: Listener, tls: bool) -> None:
        self.labgate = labgate
        self.port = port
        self.listener = listener
        self.tls = tls

    async def connect(
        self, source: str = SENDER
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(source, 0)
        )
        self.labgate.writers.append(writer)
        return reader, writer

    async def ask(
        self, header: bytes, data: bytes, source: str = SENDER, split: Split = whole
    ) -> bytes:
        """Send header and request, over TLS where it is spoken; the whole answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            reader, writer = await self.connect(source)
            if self.tls:
                return await through_tls(reader, writer, header, data, split)
            await send(writer, split(header + data))
            answer = await reader.read()
            writer.close()
            return answer


async def send(writer: asyncio.StreamWriter, pieces: list[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)
        # Both ends run on this loop: now labgate sees the piece by itself.
        for _ in range(3):
            await asyncio.sleep(0)


async def through_tls(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    header: bytes,
    data: bytes,
    split: Split,
) -> bytes:
    """TLS by hand, so that the header and the ClientHello can be in one segment."""
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname="lab.example.org")
    with suppress(ssl.SSLWantReadError):
        client.do_handshake()
    await send(writer, split(header + outgoing.read()))
    while True:
        incoming.write(await reader.read(2**16) or b"")
        try:
            client.do_handshake()
            break
        except ssl.SSLWantReadError:
            if reader.at_eof():
                raise ConnectionResetError("ended in the handshake") from None
            writer.write(outgoing.read())
    client.write(data)
    writer.write(outgoing.read())
    answer = b""
    while True:
        try:
            while piece := client.read(2**16):
                answer += piece
            break
        except ssl.SSLWantReadError:
            if reader.at_eof():
                break
            incoming.write(await reader.read(2**16))
        except (ssl.SSLZeroReturnError, ssl.SSLEOFError):
            break
    writer.close()
    return answer


@asynccontextmanager
async def behind(
    address: UpstreamAddress | None,
    tls: ssl.SSLContext | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    allow: str = "",
) -> AsyncIterator[Behind]:
    origin = (address or UpstreamAddress("127.0.0.1", 8888)).origin
    allowed = Networks([ip_network(allow)] if allow else [])
    site = make_site((PUBLIC,), origin, trusted_proxies=TRUSTED, allow=allowed)
    async with edge(address, site=site, limits=limits) as labgate:
        labgate.server.connection_limit = new_connection_limit(limits, TRUSTED)
        (listening,) = bind(["127.0.0.1"], 0, "--https-port")
        port = listening.getsockname()[1]
        listener = Listener(labgate.server, listening, tls, 100, TRUSTED)
        sweeping = spawn(sweep(labgate.server, listener), "sweep")
        try:
            yield Behind(labgate, port, listener, tls is not None)
        finally:
            sweeping.cancel()
            listener.close()


async def sweep(server: Http1Server, listener: Listener) -> None:
    """As the application does it, only more often."""
    while True:
        await asyncio.sleep(0.05)
        await listener.enforce_timeouts()
        await server.enforce_timeouts()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not condition():  # noqa: ASYNC110  counts and log lines have no event
            await asyncio.sleep(0.005)


@pytest.fixture(params=["plain", "tls"])
def tls(request: pytest.FixtureRequest, context: ssl.SSLContext) -> ssl.SSLContext | None:
    return context if request.param == "tls" else None


PROXY_HEADERS = [
    pytest.param(v1("192.0.2.1"), b"192.0.2.1", id="v1"),
    pytest.param(v1("2001:db8::1"), b"2001:db8::1", id="v1-ipv6"),
    pytest.param(v2("192.0.2.1"), b"192.0.2.1", id="v2"),
    pytest.param(v2("2001:db8::1"), b"2001:db8::1", id="v2-ipv6"),
    pytest.param(v2("192.0.2.1", b"\x04\x03\xe8" + bytes(1000)), b"192.0.2.1", id="v2-long"),
    pytest.param(LOCAL, b"127.0.0.1", id="LOCAL"),
    pytest.param(UNSPECIFIED, b"127.0.0.1", id="UNSPEC"),
    pytest.param(UNKNOWN, b"127.0.0.1", id="UNKNOWN"),
]


@pytest.mark.parametrize("split", [whole, octets, torn])
@pytest.mark.parametrize(("header", "client"), PROXY_HEADERS)
async def test_the_address_in_the_proxy_header_is_the_clients(
    header: bytes, client: bytes, split: Split, tls: ssl.SSLContext | None
) -> None:
    async with upstream(says(OK)) as jupyter, behind(jupyter.address, tls) as labgate:
        answer = await labgate.ask(header, request(b"/x"), split=split)
        assert answer.endswith(b"\r\n\r\nok")
        await until(lambda: labgate.labgate.records)
    assert jupyter.heads.startswith(b"GET /x HTTP/1.1\r\n")
    assert b"\r\nX-Real-IP: " + client + b"\r\n" in jupyter.heads
    assert b"\r\nX-Forwarded-For: " + client + b"\r\n" in jupyter.heads
    assert labgate.labgate.records[0].head.arrival.peer == client.decode()


FORWARDED = [
    pytest.param(v1("192.0.2.1"), b"192.0.2.1", id="a client's claim"),
    pytest.param(v1("198.51.100.7"), b"203.0.113.9", id="a trusted proxy in the header"),
    pytest.param(LOCAL, b"127.0.0.1", id="LOCAL names nobody"),
    pytest.param(UNKNOWN, b"127.0.0.1", id="UNKNOWN names nobody"),
]


@pytest.mark.parametrize(("header", "client"), FORWARDED)
async def test_x_forwarded_for_is_believed_from_a_trusted_address_in_the_proxy_header(
    header: bytes, client: bytes
) -> None:
    asked = request(b"/", b"X-Forwarded-For: 6.6.6.6, 203.0.113.9")
    async with upstream(says(OK)) as jupyter, behind(jupyter.address) as labgate:
        assert (await labgate.ask(header, asked)).endswith(b"ok")
    assert b"\r\nX-Real-IP: " + client + b"\r\n" in jupyter.heads
    assert b"6.6.6.6" not in jupyter.heads


async def test_x_forwarded_for_of_a_trusted_proxy_without_the_protocol() -> None:
    asked = request(b"/", b"X-Forwarded-For: 6.6.6.6, 192.0.2.1", b"X-Forwarded-For: 198.51.100.7")
    async with upstream(says(OK)) as jupyter:
        site = make_site((PUBLIC,), jupyter.address.origin, trusted_proxies=TRUSTED)
        async with edge(jupyter.address, site=site) as labgate:
            assert (await labgate.ask(asked)).endswith(b"ok")
    assert b"\r\nX-Forwarded-For: 192.0.2.1\r\n" in jupyter.heads
    assert labgate.records[0].head.arrival.peer == "192.0.2.1"


async def test_the_access_log_and_the_allow_list_take_the_address_in_the_proxy_header(
    tls: ssl.SSLContext | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with (
        upstream(says(OK)) as jupyter,
        behind(jupyter.address, tls, allow="192.0.2.0/24") as labgate,
    ):
        assert (await labgate.ask(v2("192.0.2.1"), request())).startswith(b"HTTP/1.1 200 ")
        refused = await labgate.ask(v2("203.0.113.9"), request())
        assert (await labgate.ask(LOCAL, request())).startswith(b"HTTP/1.1 403 ")
        health = await labgate.ask(LOCAL, request(b"/.labgate/health"))
        await until(lambda: len(labgate.labgate.records) == 4)
        lines = "\n".join(map(access_line.format_line, labgate.labgate.records))
    assert refused.startswith(b"HTTP/1.1 403 ")
    assert refused.endswith(b"This network address is not one of those that are let in here.\n")
    assert health.startswith(b"HTTP/1.1 200 ")
    assert '192.0.2.1 "GET /" 200 ' in lines
    assert '203.0.113.9 "GET /" 403 ' in lines
    assert "refused 403 by rule allow-list" in caplog.text


async def test_a_stranger_is_served_and_its_header_is_not_believed(
    tls: ssl.SSLContext | None,
) -> None:
    async with upstream(says(OK)) as jupyter, behind(jupyter.address, tls) as labgate:
        assert (await labgate.ask(b"", request(), STRANGER)).endswith(b"ok")
        for header in (v1("192.0.2.1"), v2("192.0.2.1"), LOCAL):
            if tls is None:
                answer = await labgate.ask(header, request(), STRANGER)
                assert answer.startswith(b"HTTP/1.1 400 ")
            else:
                with pytest.raises((ssl.SSLError, ConnectionError)):
                    await labgate.ask(header, request(), STRANGER)
    assert len(jupyter.visits) == 1
    assert b"\r\nX-Real-IP: 127.0.0.2\r\n" in jupyter.heads


NOT_HEADERS = [
    pytest.param(request(b"/lab?token=secret"), "'GET /lab?token=[redacted]", id="HTTP"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00", r"'\x16\x03\x01\x02", id="TLS"),
    pytest.param(b"PROXY TCP4 a b 1 2\r\n", "malformed address", id="v1"),
    pytest.param(b"PROXY " + b"x" * 200, "without an end", id="v1-endless"),
    pytest.param(V2_SIGNATURE + b"\x31\x11\x00\x0c", "version", id="v2"),
    pytest.param(V2_SIGNATURE + b"\x21\x11\xff\xff", "65551 octets", id="v2-endless"),
]


@pytest.mark.parametrize(("data", "expected"), NOT_HEADERS)
async def test_a_trusted_sender_without_a_header_is_reset(
    data: bytes, expected: str, tls: ssl.SSLContext | None, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with behind(None, tls) as labgate, asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await labgate.connect()
        writer.write(data)
        with pytest.raises(ConnectionResetError):
            await reader.read()
    (line,) = [record.getMessage() for record in caplog.records]
    assert line.startswith("127.0.0.1 is a trusted proxy but sent ")
    assert expected in line
    assert "secret" not in line


STALLED = [b"", b"P", b"PROXY TCP4 192.0.2.1", V2_SIGNATURE, v2("192.0.2.1")[:-1]]


@pytest.mark.parametrize("start", STALLED)
async def test_a_stalled_header_times_out(start: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    limits = replace(DEFAULT_LIMITS, handshake_seconds=0.2)
    async with behind(None, limits=limits) as labgate, asyncio.timeout(PATIENCE_SECONDS):
        reader, writer = await labgate.connect()
        await send(writer, octets(start))
        with pytest.raises(ConnectionResetError):
            await reader.read()
    assert "within 0.2 seconds" in caplog.text


@pytest.mark.parametrize("start", STALLED)
async def test_a_stalled_header_is_waited_for_and_not_asked_for(
    start: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What has come and is no whole header would keep the socket readable."""
    asked = 0
    peek = PendingConnection._peek

    def counted(pending: PendingConnection, most: int, again: Callable[[], None]) -> bytes:
        nonlocal asked
        asked += 1
        if asked > len(start) + 1:
            # Without a pause nothing else would ever run, this test's end included.
            raise OSError("asked over and over")
        return peek(pending, most, again)

    monkeypatch.setattr(PendingConnection, "_peek", counted)
    async with behind(None) as labgate, asyncio.timeout(PATIENCE_SECONDS):
        _, writer = await labgate.connect()
        await send(writer, octets(start))
        await until(lambda: labgate.listener.pending and asked)
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(labgate.listener.pending) == 1
        assert asked <= len(start) + 1


async def test_a_sender_that_only_knocks_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with behind(None) as labgate:
        _, writer = await labgate.connect()
        writer.close()
        await writer.wait_closed()
        await until(lambda: not labgate.listener.pending)
        assert (await labgate.ask(LOCAL, request())).startswith(b"HTTP/1.1 503 ")
    assert "trusted proxy" not in caplog.text


async def held(labgate: Behind, header: bytes, source: str = SENDER) -> bytes:
    """Whether a connection that stays open is let in: the start of its answer."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        try:
            reader, writer = await labgate.connect(source)
            writer.write(header + b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
            return (await reader.readuntil(b"\r\n\r\n"))[:12]
        except (ConnectionError, asyncio.IncompleteReadError):
            return b"turned away"


async def test_connections_count_by_the_address_in_the_proxy_header() -> None:
    limits = replace(DEFAULT_LIMITS, connections_per_address=1)
    async with behind(None, limits=limits) as labgate:
        seen = [await held(labgate, v1(f"192.0.2.{last}")) for last in (1, 1, 2, 2, 3)]
        assert seen == [b"HTTP/1.1 503", b"turned away"] * 2 + [b"HTTP/1.1 503"]
        strangers = [await held(labgate, b"", STRANGER) for _ in range(2)]
        assert strangers == [b"HTTP/1.1 503", b"turned away"]
        # The sender's own connections are not one client's.
        assert {await held(labgate, LOCAL) for _ in range(3)} == {b"HTTP/1.1 503"}
        assert len(labgate.labgate.server.connection_limit) == 3 + 1 + 3


async def test_arriving_connections_are_bounded(caplog: pytest.LogCaptureFixture) -> None:
    limits = replace(DEFAULT_LIMITS, connections=2)
    async with behind(None, limits=limits) as labgate, asyncio.timeout(PATIENCE_SECONDS):
        for _ in range(2):
            await labgate.connect()
        await until(lambda: len(labgate.listener.pending) == 2)
        assert await held(labgate, LOCAL) == b"turned away"
        assert "127.0.0.1 is turned away" in caplog.text
        for writer in labgate.labgate.writers:
            writer.close()
        await until(lambda: len(labgate.listener.pending) == 0)
        assert await held(labgate, LOCAL) == b"HTTP/1.1 503"


async def test_closing_drops_what_arrives_and_keeps_what_is_open() -> None:
    limits = replace(DEFAULT_LIMITS, handshake_seconds=3600.0)
    async with (
        upstream(says(OK, OK)) as jupyter,
        behind(jupyter.address, limits=limits) as labgate,
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        reader, writer = await labgate.connect()
        writer.write(v1("192.0.2.1") + b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
        await reader.readuntil(b"ok")
        waiting, half = await labgate.connect()
        half.write(b"PROXY TCP4")
        await until(lambda: len(labgate.listener.pending) == 1)
        labgate.listener.close()
        with suppress(ConnectionResetError):
            assert await waiting.read() == b""
        with pytest.raises(ConnectionRefusedError):
            await labgate.connect()
        writer.write(request())
        assert (await reader.read()).endswith(b"ok")
        labgate.listener.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def test_nothing_is_left_of_failed_connections(context: ssl.SSLContext) -> None:
    limits = replace(DEFAULT_LIMITS, handshake_seconds=0.3)
    async with behind(None, context, limits=limits) as labgate:
        assert (await labgate.ask(LOCAL, request())).startswith(b"HTTP/1.1 503 ")
        await until(lambda: not labgate.labgate.server.connection_limit)
        before = descriptors()
        for start in (b"", b"PROXY", b"GET /", LOCAL, LOCAL + b"GET / HTTP/1.1\r\n\r\n", v1("::1")):
            reader, writer = await labgate.connect()
            writer.write(start)
            async with asyncio.timeout(PATIENCE_SECONDS):
                with suppress(ConnectionResetError):
                    await reader.read()
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        await until(lambda: not labgate.listener.pending)
        await until(lambda: descriptors() <= before)


async def test_without_descriptors_it_waits_and_goes_on(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    monkeypatch.setattr(accepting, "ACCEPT_RETRY_SECONDS", 3600.0)
    async with behind(None) as labgate:
        with socket.socket() as client:
            client.settimeout(PATIENCE_SECONDS)
            client.connect(("127.0.0.1", labgate.port))
            lowest_free = os.dup(0)
            os.close(lowest_free)
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, hard))
            try:
                await until(lambda: "cannot accept connections" in caplog.text)
                for _ in range(100):
                    await asyncio.sleep(0)
                assert caplog.text.count("cannot accept connections") == 1, "no pause"
                # That was the pause; from here on they are short.
                monkeypatch.setattr(accepting, "ACCEPT_RETRY_SECONDS", 0.01)
                assert labgate.listener._retry is not None
                labgate.listener._retry.cancel()
                labgate.listener._resume()
                await until(lambda: caplog.text.count("cannot accept connections") >= 3)
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            client.sendall(LOCAL)
            assert await held(labgate, LOCAL) == b"HTTP/1.1 503"
