"""TLS: the certificate by name, TLS 1.2 and 1.3, the profile's ciphers and no others."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
import uvloop

from proxy.certs.files import load_pair
from proxy.tls.context import CIPHERS, Handshakes, pair_context
from tests.certificates import AUTHORITY, pair, server_context
from tests.tls.test_client_hello import divided

TICKET_SECONDS = 10


@asynccontextmanager
async def listening(server: ssl.SSLContext) -> AsyncIterator[int]:
    """An echo over TLS; its port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    serving = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=server)
    try:
        yield serving.sockets[0].getsockname()[1]
    finally:
        serving.close()


async def shaken(
    server: ssl.SSLContext, name: str, client: ssl.SSLContext | None = None
) -> ssl.SSLObject:
    """A real handshake on loopback; the client's side of it."""
    context = client or ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    async with listening(server) as port:
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=context, server_hostname=name
        )
        seen: ssl.SSLObject = writer.get_extra_info("ssl_object")
        writer.close()
        await writer.wait_closed()
        return seen


def context_for(folder: Path, *names: str) -> tuple[tuple[str, ...], ssl.SSLContext]:
    loaded = load_pair(*pair(folder, *names))
    return loaded.names, pair_context(loaded.cert, loaded.key)


async def test_sni_chooses_the_certificate(tmp_path: Path) -> None:
    names = [["a.example"], ["b.example", "*.wild.example"]]
    pairs = [load_pair(*pair(tmp_path / group[0], *group)) for group in names]
    context = server_context(pairs)
    for name in ("a.example", "b.example", "x.wild.example", "B.example"):
        assert (await shaken(context, name)).version() == "TLSv1.3"
    for name in ("c.example", "y.x.wild.example", "wild.example"):
        with pytest.raises(ssl.SSLCertVerificationError, match="mismatch"):
            await shaken(context, name)


async def test_unknown_names_can_be_refused(tmp_path: Path) -> None:
    handshakes = Handshakes("refuse")
    handshakes.serve([context_for(tmp_path, "a.example", "127.0.0.1")])
    assert (await shaken(handshakes.context, "a.example")).version() == "TLSv1.3"
    # By address no name is sent: a health check must not be refused.
    assert (await shaken(handshakes.context, "127.0.0.1")).version() == "TLSv1.3"
    with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
        await shaken(handshakes.context, "b.example")


async def test_without_a_certificate_everybody_is_refused() -> None:
    for name in ("a.example", "127.0.0.1"):
        with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
            await shaken(Handshakes().context, name)


async def test_tls_1_2_has_the_profiles_ciphers(tmp_path: Path) -> None:
    context = server_context([load_pair(*pair(tmp_path, "a.example"))])
    client = ssl.create_default_context()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    cipher = (await shaken(context, "a.example", client)).cipher()
    assert cipher is not None
    assert cipher[0] in CIPHERS.split(":")


async def test_older_ones_are_refused(tmp_path: Path) -> None:
    context = server_context([load_pair(*pair(tmp_path, "a.example"))])
    client = ssl.create_default_context()
    client.set_ciphers("AES128-SHA")
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await shaken(context, "a.example", client)


async def test_http_1_1_is_agreed_on(tmp_path: Path) -> None:
    context = server_context([load_pair(*pair(tmp_path, "a.example"))])
    client = ssl.create_default_context()
    client.set_alpn_protocols(["h2", "http/1.1"])
    assert (await shaken(context, "a.example", client)).selected_alpn_protocol() == "http/1.1"


async def test_http_2_is_agreed_on_where_it_is_offered(tmp_path: Path) -> None:
    context = server_context([load_pair(*pair(tmp_path, "a.example"))], http2=True)
    for offered, agreed in [(["h2", "http/1.1"], "h2"), (["http/1.1"], "http/1.1"), ([], None)]:
        client = ssl.create_default_context()
        if offered:
            client.set_alpn_protocols(offered)
        assert (await shaken(context, "a.example", client)).selected_alpn_protocol() == agreed


def serial(port: int, name: str, *protocols: str, size: int = 0) -> tuple[str, str | None]:
    """What a client of its own thread gets: the certificate's serial number, the protocol.

    With ``size`` the ClientHello goes out in records and segments of so many octets.
    """
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(incoming, outgoing, server_hostname=name)
    with closing(socket.create_connection(("127.0.0.1", port), 10)) as channel:
        channel.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while True:
            try:
                client.do_handshake()
                break
            except ssl.SSLWantReadError:
                octets = outgoing.read()
                octets, size = (divided(octets, size), 0) if size else (octets, 0)
                for at in range(0, len(octets), 100):
                    channel.sendall(octets[at : at + 100])
                incoming.write(channel.recv(65536))
        found = client.getpeercert()
        assert found is not None
        return str(found["serialNumber"]), client.selected_alpn_protocol()


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_a_challenge_is_for_whoever_offers_its_protocol(
    tmp_path: Path, loops: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    """RFC 8737; whoever visits that name meanwhile notices nothing."""

    async def scenario() -> None:
        handshakes = Handshakes("refuse")
        handshakes.serve([context_for(tmp_path / "a", "a.example", "b.example")])
        _, answer = context_for(tmp_path / "c", "a.example", "b.example", "new.example")
        answer.set_alpn_protocols(["acme-tls/1"])
        async with listening(handshakes.context) as port:

            async def got(*arguments: str, size: int = 0) -> tuple[str, str | None]:
                return await asyncio.to_thread(serial, port, *arguments, size=size)

            ordinary, protocol = await got("a.example", "http/1.1")
            assert protocol == "http/1.1"
            assert await got("a.example", "acme-tls/1") == (ordinary, None)

            handshakes.challenge("A.example", answer)
            handshakes.challenge("new.example", answer)
            challenged, protocol = await got("a.example", "acme-tls/1")
            assert (challenged != ordinary, protocol) == (True, "acme-tls/1")
            for size in (1, 60):
                answered = await got("a.example", "acme-tls/1", size=size)
                assert answered == (challenged, "acme-tls/1")
            assert await got("new.example", "acme-tls/1") == (challenged, "acme-tls/1")
            assert await got("a.example", "http/1.1") == (ordinary, "http/1.1")
            assert await got("a.example", "h2", "http/1.1", size=60) == (ordinary, "http/1.1")
            assert await got("a.example") == (ordinary, None)
            assert await got("b.example", "acme-tls/1") == (ordinary, None)
            with pytest.raises(ssl.SSLError, match="UNRECOGNIZED_NAME"):
                await got("new.example", "http/1.1")

            handshakes.challenge("a.example", None)
            handshakes.challenge("never.example", None)
            assert await got("a.example", "acme-tls/1") == (ordinary, None)
            assert await got("new.example", "acme-tls/1") == (challenged, "acme-tls/1")

    with asyncio.Runner(loop_factory=loops) as runner:
        runner.run(scenario())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_sessions_are_resumed_across_an_exchange(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    handshakes = Handshakes()
    handshakes.serve([context_for(tmp_path, "a.example")])
    client = ssl.create_default_context()
    client.maximum_version = version
    AUTHORITY.configure_trust(client)

    def visit(port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        with (
            socket.create_connection(("127.0.0.1", port), TICKET_SECONDS) as channel,
            client.wrap_socket(channel, server_hostname="a.example", session=session) as secure,
        ):
            secure.sendall(b"x")
            assert secure.recv(1) == b"x"
            return secure.session, bool(secure.session_reused)

    async with listening(handshakes.context) as port:
        session, reused = await asyncio.to_thread(visit, port, None)
        assert not reused
        session, reused = await asyncio.to_thread(visit, port, session)
        assert reused
        handshakes.serve([context_for(tmp_path, "a.example")])
        session, reused = await asyncio.to_thread(visit, port, session)
        assert reused
        _, reused = await asyncio.to_thread(visit, port, None)
        assert not reused


async def test_one_ticket_is_enough(tmp_path: Path) -> None:
    assert server_context([load_pair(*pair(tmp_path, "a.example"))]).num_tickets == 1


@pytest.mark.parametrize("loops", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_more_than_a_record_arrives_whole(
    tmp_path: Path, loops: Callable[[], asyncio.AbstractEventLoop]
) -> None:
    content = bytes(range(256)) * 4096

    async def scenario() -> bytes:
        client = ssl.create_default_context()
        AUTHORITY.configure_trust(client)
        handshakes = Handshakes()
        handshakes.serve([context_for(tmp_path, "a.example")])
        arrived: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            arrived.set_result(await reader.readexactly(len(content)))
            writer.close()

        serving = await asyncio.start_server(take, "127.0.0.1", 0, ssl=handshakes.context)
        port = serving.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname="a.example"
        )
        writer.write(content)
        try:
            return await arrived
        finally:
            writer.close()
            serving.close()

    with asyncio.Runner(loop_factory=loops) as runner:
        assert runner.run(scenario()) == content


async def test_an_exchange_leaves_open_connections_alone(tmp_path: Path) -> None:
    handshakes = Handshakes()
    handshakes.serve([context_for(tmp_path, "a.example")])
    client = ssl.create_default_context()
    AUTHORITY.configure_trust(client)
    async with listening(handshakes.context) as port:
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=client, server_hostname="a.example"
        )
        before = await asyncio.to_thread(serial, port, "a.example")
        handshakes.serve([context_for(tmp_path, "a.example")])
        assert await asyncio.to_thread(serial, port, "a.example") != before
        writer.write(b"still here")
        assert await reader.readexactly(10) == b"still here"
        writer.close()
        await writer.wait_closed()
