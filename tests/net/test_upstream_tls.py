"""TLS to an upstream: certificates that are checked, shown and replaced."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from proxy.errors import StartError
from proxy.jupyter.readiness import is_ready, is_silent
from proxy.net.upstream_tls import UpstreamTls
from tests.certificates import AUTHORITY, pair
from tests.edges import Edge, edge, request
from tests.proxying.test_tunnel import HANDSHAKE, echo
from tests.upstreams import OK, Upstream, Visit, says, upstream

pytestmark = pytest.mark.both_loops


@pytest.fixture
def ca(tmp_path: Path) -> str:
    path = tmp_path / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(path)
    return str(path)


def serving(folder: Path, *names: str, client_ca: str = "") -> ssl.SSLContext:
    """What an upstream with a certificate for these names listens with."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair(folder / "upstream", *names))
    if client_ca:
        context.load_verify_locations(client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


@asynccontextmanager
async def edge_over_tls(
    jupyter: Upstream, tls: UpstreamTls, host: str = "localhost"
) -> AsyncIterator[Edge]:
    jupyter.address = replace(jupyter.address, host=host, tls=tls)
    async with edge(jupyter.address) as labgate:
        yield labgate


async def test_requests_and_kept_connections(tmp_path: Path, ca: str) -> None:
    context = serving(tmp_path, "localhost")
    async with (
        upstream(says(OK, OK, OK), context=context) as jupyter,
        edge_over_tls(jupyter, UpstreamTls(ca)) as labgate,
    ):
        for _ in range(2):
            assert (await labgate.ask(request())).startswith(b"HTTP/1.1 200 OK")
        origin = request(b"/", b"Origin: https://lab.example.org")
        await labgate.ask(origin)
    assert b"Origin: https://localhost:%d\r\n" % jupyter.address.port in jupyter.heads
    assert len(jupyter.visits) <= 2


async def test_a_websocket_and_its_end(
    tmp_path: Path, ca: str, caplog: pytest.LogCaptureFixture
) -> None:
    context = serving(tmp_path, "localhost")
    async with (
        upstream(echo, context=context) as jupyter,
        edge_over_tls(jupyter, UpstreamTls(ca)) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        await reader.readuntil(b"hello")
        data = bytes(range(256)) * 4000
        writer.write(data)
        assert await reader.readexactly(len(data)) == data
        # One direction alone cannot be ended over TLS: both are.
        writer.write_eof()
        assert await reader.read() == b""
    assert not caplog.records, "the transport was asked for what it cannot do"


async def test_the_upstream_ends_a_websocket_first(
    tmp_path: Path, ca: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def bye(visit: Visit) -> None:
        await visit.head()
        await visit.say(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: YWNj\r\n\r\nbye"
        )

    context = serving(tmp_path, "localhost")
    async with (
        upstream(bye, context=context) as jupyter,
        edge_over_tls(jupyter, UpstreamTls(ca)) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(HANDSHAKE)
        assert (await reader.read()).endswith(b"bye")
    assert not caplog.records


async def test_who_is_not_trusted_is_sent_nothing(tmp_path: Path) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(stranger)
    context = serving(tmp_path, "localhost")
    async with (
        upstream(says(OK), context=context) as jupyter,
        edge_over_tls(jupyter, UpstreamTls(str(stranger))) as labgate,
    ):
        assert (await labgate.ask(request())).startswith(b"HTTP/1.1 503")
        assert jupyter.heads == b""
        assert "certificate verify failed" in labgate.records[0].outcome.lower()


async def test_a_name_that_is_not_the_upstreams_is_refused(tmp_path: Path, ca: str) -> None:
    context = serving(tmp_path, "other.example.org")
    async with (
        upstream(says(OK), context=context) as jupyter,
        edge_over_tls(jupyter, UpstreamTls(ca)) as labgate,
    ):
        assert (await labgate.ask(request())).startswith(b"HTTP/1.1 503")
    async with (
        upstream(says(OK), context=context) as jupyter,
        edge_over_tls(jupyter, UpstreamTls(verify=False)) as labgate,
    ):
        assert (await labgate.ask(request())).startswith(b"HTTP/1.1 200")


async def test_a_client_certificate_is_shown_and_replaced(tmp_path: Path, ca: str) -> None:
    context = serving(tmp_path, "localhost", client_ca=ca)
    cert, key = pair(tmp_path / "client", "labgate.example.org")
    ours = UpstreamTls(ca, str(cert), str(key))
    async with (
        upstream(says(OK), context=context) as jupyter,
        edge_over_tls(jupyter, ours) as labgate,
    ):
        assert (await labgate.ask(request())).startswith(b"HTTP/1.1 200")
    before = ours.context()
    assert ours.context() is before
    stranger = trustme.CA().issue_cert("labgate.example.org")
    cert.write_bytes(b"".join(blob.bytes() for blob in stranger.cert_chain_pems))
    key.write_bytes(stranger.private_key_pem.bytes())
    assert ours.context() is not before
    async with (
        upstream(says(OK), context=context) as jupyter,
        edge_over_tls(jupyter, ours) as labgate,
    ):
        assert not (await labgate.ask(request())).startswith(b"HTTP/1.1 200")


async def test_jupyter_is_asked_over_tls_whether_it_is_ready(tmp_path: Path, ca: str) -> None:
    version = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"version": ""}'

    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(version)

    async with upstream(answer, context=serving(tmp_path, "localhost")) as jupyter:
        address = replace(jupyter.address, host="localhost", tls=UpstreamTls(ca))
        assert await is_ready(address)
        assert not await is_silent(address, 5.0)
        assert not await is_ready(replace(address, tls=UpstreamTls()))
        await asyncio.sleep(0)


def test_files_that_cannot_be_used_are_named(tmp_path: Path, ca: str) -> None:
    UpstreamTls(ca).check()
    with pytest.raises(StartError, match=r"no file /nowhere/ca.pem"):
        UpstreamTls("/nowhere/ca.pem").check()
    broken = tmp_path / "broken.pem"
    broken.write_text("nothing")
    with pytest.raises(StartError, match=r"broken\.pem"):
        UpstreamTls(str(broken)).check()
    cert, _ = pair(tmp_path / "one", "one.example.org")
    _, key = pair(tmp_path / "two", "two.example.org")
    with pytest.raises(StartError, match="its own key"):
        UpstreamTls(ca, str(cert), str(key)).check()
