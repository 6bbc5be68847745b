"""WebSockets over HTTP/2: a real HAProxy serves them, another server only announces them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.doctor.browser import Browser
from proxy.doctor.examination import Credentials, Examination
from proxy.doctor.http2 import (
    _END_HEADERS,
    HEADERS,
    RST_STREAM,
    SETTINGS,
    announces_connect,
    frame,
    literal,
    status_in,
    websocket_status,
)
from proxy.doctor.probes.sockets import try_http2_socket
from proxy.doctor.target import Target, read_target
from tests.doctor.certificates import Certificates
from tests.doctor.examinations import examined
from tests.doctor.other_configurations import HAPROXY
from tests.doctor.proxies import Haproxy
from tests.e2e.programs import Jupyter

ANNOUNCED = bytes.fromhex("000800000001")

STATUSES = [
    ("88", 200),
    ("8d", 404),
    ("3fe11f88", 0),  # a size of several bytes, which nobody sends first
    ("2088", 200),
    ("4803343033", 403),
    ("48826402", 302),
    ("0883ffffff", 0),
    ("0803353032", 502),
    ("", 0),
    ("40", 0),
]


@pytest.mark.parametrize(("block", "status"), STATUSES)
def test_the_status_is_read(block: str, status: int) -> None:
    assert status_in(bytes.fromhex(block)) == status


def test_fields_are_written_whole() -> None:
    assert literal(":path", "/") == b"\x00\x05:path\x01/"
    assert literal("cookie", "x" * 300)[8:].startswith(b"\x7f\xad\x01xxx")


@pytest.mark.parametrize(
    ("settings", "announced"),
    [
        (b"", False),
        (ANNOUNCED, True),
        (bytes.fromhex("000300000064") + ANNOUNCED, True),
        (bytes.fromhex("000800000000"), False),
        (ANNOUNCED[:5], False),
    ],
)
def test_what_is_announced(settings: bytes, announced: bool) -> None:
    assert announces_connect(settings) is announced


@asynccontextmanager
async def server(certificates: Certificates, *frames: bytes) -> AsyncIterator[Target]:
    """Speaks enough HTTP/2 to send these frames, the first at once and the rest to a request."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(frames[0])
        while data := await reader.read(2**16):
            if b"websocket" in data:
                writer.write(b"".join(frames[1:]))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.cert("good"), certificates.key("good"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    running = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    yield Target("https", "localhost", running.sockets[0].getsockname()[1])
    running.close()
    await running.wait_closed()


def trust(certificates: Certificates, *protocols: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificates.authority)
    context.set_alpn_protocols(list(protocols))
    return context


ANSWERS = [
    ((frame(SETTINGS, 0, 0, b""),), None),
    ((frame(SETTINGS, 0, 0, ANNOUNCED), frame(RST_STREAM, 0, 1, b"\0\0\0\1")), 0),
    ((frame(SETTINGS, 0, 0, ANNOUNCED), frame(HEADERS, _END_HEADERS, 1, b"\x8c")), 400),
    ((frame(SETTINGS, 0, 0, ANNOUNCED), frame(HEADERS, _END_HEADERS, 1, b"\x88")), 200),
    (
        (
            frame(SETTINGS, 0, 0, ANNOUNCED),
            frame(HEADERS, _END_HEADERS | 0x28, 1, b"\x02\0\0\0\0\x10\x88pp"),
        ),
        200,
    ),
]


@pytest.mark.parametrize(("frames", "status"), ANSWERS)
async def test_a_handshake(
    frames: tuple[bytes, ...], status: int | None, certificates: Certificates
) -> None:
    async with server(certificates, *frames) as target, asyncio.timeout(30):
        tls = trust(certificates, "h2", "http/1.1")
        assert await websocket_status(target, tls, [("cookie", "x" * 300)], "/x") == status


async def test_without_http2_there_is_nothing_to_try(certificates: Certificates) -> None:
    async with server(certificates, b"") as target, asyncio.timeout(30):
        assert await websocket_status(target, trust(certificates, "http/1.1"), [], "/x") is None


async def test_a_refusal_is_found(certificates: Certificates) -> None:
    refused = (frame(SETTINGS, 0, 0, ANNOUNCED), frame(HEADERS, _END_HEADERS, 1, b"\x8c"))
    async with (
        server(certificates, *refused) as target,
        Browser(target, trust(certificates, "http/1.1")) as browser,
    ):
        found = await try_http2_socket(Examination(browser, Credentials()))
    assert found is not None
    assert (found.id, found.received) == ("extended-connect", "400")


class Http2Haproxy(Haproxy):
    """HAProxy as it is by default: it announces WebSockets over HTTP/2, and serves them."""

    def text(self) -> str:
        return super().text().replace("alpn http/1.1", "alpn h2,http/1.1")


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
async def test_haproxy_serves_what_it_announces(
    jupyter: Jupyter, certificates: Certificates, tmp_path: Path
) -> None:
    upstream = jupyter.upstream.removeprefix("http://")
    with Http2Haproxy(tmp_path / "haproxy", HAPROXY, upstream, certificates) as running:
        target, _ = read_target(running.url)
        tls = trust(certificates, "h2", "http/1.1")
        # Jupyter's own answer to a handshake without a login.
        assert await websocket_status(target, tls, [], "/api/events/subscribe") == 403
        report = await examined(running.url, certificates.authority)
    assert report.findings == []
    assert "http2-socket" in report.passed
