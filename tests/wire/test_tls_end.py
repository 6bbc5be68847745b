"""Row 50: over TLS only a close_notify is an end (RFC 9112 section 9.8)."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.certs.files import load_pair
from proxy.net.listener import Listener
from proxy.net.ports import BACKLOG, bind
from tests.certificates import AUTHORITY, pair, server_context
from tests.edges import edge
from tests.upstreams import OK, upstream
from tests.wire.talk import Recorder, within

pytestmark = pytest.mark.own_server("the TLS of an application is its server's affair")


class TlsClient:
    """TLS over a memory BIO, so that a missing close_notify can be seen, and be left out."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self.writer = reader, writer
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        context = ssl.create_default_context()
        AUTHORITY.configure_trust(context)
        # Before 3.11.4 Python takes any end for a close_notify.
        context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
        self._tls = context.wrap_bio(self._in, self._out, server_hostname="lab.example.org")

    def flush(self) -> None:
        self.writer.write(self._out.read())

    async def _more(self) -> None:
        self.flush()
        try:
            data = await self._reader.read(65536)
        except ConnectionResetError:
            data = b""
        if data:
            self._in.write(data)
        else:
            self._in.write_eof()

    async def shake_hands(self) -> None:
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                await self._more()
            else:
                self.flush()
                return

    def write(self, data: bytes) -> None:
        self._tls.write(data)
        self.flush()

    async def read(self) -> tuple[bytes, bool]:
        """Everything, and whether a close_notify ended it."""
        received = b""
        while True:
            try:
                data = self._tls.read(65536)
            except ssl.SSLWantReadError:
                await self._more()
            except ssl.SSLZeroReturnError:
                return received, True
            except ssl.SSLError as error:
                if error.reason != "UNEXPECTED_EOF_WHILE_READING":
                    raise
                return received, False
            else:
                if not data:
                    return received, True
                received += data


@asynccontextmanager
async def secured(port: int) -> AsyncIterator[TlsClient]:
    """A client of a TLS listener whose bytes come out at the plain edge's own server."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    client = TlsClient(reader, writer)
    try:
        await client.shake_hands()
        yield client
    finally:
        writer.transport.abort()


@asynccontextmanager
async def over_tls(answer: Recorder, tmp_path: Path) -> AsyncIterator[TlsClient]:
    context = server_context([load_pair(*pair(tmp_path, "lab.example.org"))])
    async with upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        (listening,) = bind(["127.0.0.1"], 0, "--https-port")
        port = listening.getsockname()[1]
        listener = Listener(labgate.server, listening, context, BACKLOG)
        try:
            async with secured(port) as client:
                yield client
        finally:
            listener.close()


def ending(data: bytes, *, close: bool = True) -> Recorder:
    return Recorder(lambda _: [data], close_after=1 if close else 0)


OLD = b"GET / HTTP/1.0\r\nHost: lab.example.org\r\n\r\n"
TRUNCATED = [
    pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", id="length"),
    pytest.param(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhalf", id="chunked"),
]


@pytest.mark.parametrize("data", TRUNCATED)
async def test_50_a_truncated_answer_has_no_close_notify(
    data: bytes, seconds: float, tmp_path: Path
) -> None:
    async with within(seconds), over_tls(ending(data), tmp_path) as client:
        client.write(OLD)
        received, clean = await client.read()
    assert received == b"" or received.startswith(b"HTTP/1.1 200 ")
    assert not clean


async def test_50_a_complete_answer_ends_with_close_notify(seconds: float, tmp_path: Path) -> None:
    async with (
        within(seconds),
        over_tls(ending(b"HTTP/1.1 200 OK\r\n\r\nall of it"), tmp_path) as client,
    ):
        client.write(OLD)
        received, clean = await client.read()
    assert received.endswith(b"\r\n\r\nall of it")
    assert clean


HALVES = [
    pytest.param(b"Content-Length: 9\r\n\r\nhalf", id="length"),
    pytest.param(b"Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n", id="chunked"),
]


@pytest.mark.parametrize("half", HALVES)
async def test_50_a_request_cut_without_close_notify_never_completes(
    half: bytes, seconds: float, tmp_path: Path
) -> None:
    recorder = Recorder(lambda _: [OK])
    async with within(seconds, recorder), over_tls(recorder, tmp_path) as client:
        client.write(b"PUT / HTTP/1.1\r\nHost: lab.example.org\r\n" + half)
        await recorder.arrived.wait()
        client.writer.write_eof()
        await recorder.ended[0].wait()
    assert [one for one in recorder.requests() if one.complete] == []
