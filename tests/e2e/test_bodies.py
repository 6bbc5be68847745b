"""300 MB up and down: byte-exact, and no more of it in labgate than the sockets hold."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from proxy.runtime.tasks import spawn
from tests.e2e.programs import (
    Labgate,
    forget_peak_memory,
    peak_memory,
    resident_memory,
)
from tests.upstreams import Answer, Visit, upstream

MEBIBYTE = 2**20
BLOCK = bytes(range(256)) * 4096
BLOCKS = 300
SIZE = BLOCKS * len(BLOCK)
FLAT_BYTES = 16 * MEBIBYTE
STALL_SECONDS = 1.0


def digest_of_all() -> str:
    digest = hashlib.sha256()
    for number in range(BLOCKS):
        digest.update(block(number))
    return digest.hexdigest()


def block(number: int) -> bytes:
    """Every block differs, so that a lost or doubled one shows."""
    return number.to_bytes(8, "big") + BLOCK[8:]


class RequestHandler:
    """A request over TLS through labgate to an upstream, all in this test's loop."""

    def __init__(
        self, labgate: Labgate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.labgate = labgate
        self.reader = reader
        self.writer = writer
        forget_peak_memory(labgate.pid)
        self._before = resident_memory(labgate.pid)

    def begin(self, method: str, *fields: str) -> None:
        host = f"localhost:{self.labgate.https_port}"
        lines = [f"{method} /files/big HTTP/1.1", f"Host: {host}", *fields, "", ""]
        self.writer.write("\r\n".join(lines).encode())

    def assert_flat(self, what: str) -> None:
        grown = peak_memory(self.labgate.pid) - self._before
        print(f"{what}: labgate's peak grew by {grown / MEBIBYTE:.1f} MiB")
        assert grown < FLAT_BYTES


@asynccontextmanager
async def exchange(answer: Answer, folder: Path) -> AsyncIterator[RequestHandler]:
    async with upstream(answer) as jupyter:
        labgate = Labgate(folder, "serve", "--upstream", str(jupyter.address))
        await asyncio.to_thread(labgate.start)
        try:
            reader, writer = await asyncio.open_connection(
                "localhost", labgate.https_port, ssl=labgate.trusting
            )
            try:
                yield RequestHandler(labgate, reader, writer)
            finally:
                writer.transport.abort()
        finally:
            labgate.kill()


async def hashed(reader: asyncio.StreamReader) -> str:
    """The digest of the next 300 MB."""
    digest, rest = hashlib.sha256(), SIZE
    while rest:
        data = await reader.read(min(rest, 2**18))
        assert data, f"cut off {rest} bytes before the end"
        digest.update(data)
        rest -= len(data)
    return digest.hexdigest()


class Sender:
    """Writes all blocks, and tells when nobody takes them any more."""

    def __init__(self) -> None:
        self.sent = 0
        self.stalled = asyncio.Event()

    async def send(self, writer: asyncio.StreamWriter) -> None:
        for number in range(BLOCKS):
            writer.write(block(number))
            draining = spawn(writer.drain(), "drain")
            done, _ = await asyncio.wait({draining}, timeout=STALL_SECONDS)
            if not done:
                self.stalled.set()
            await draining
            self.sent += len(BLOCK)


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
async def test_a_download_waits_for_a_slow_client(tmp_path: Path, chunked: bool) -> None:
    sender = Sender()

    async def answer(visit: Visit) -> None:
        await visit.head()
        if chunked:  # an answer that ends with its connection, chunked on its way down
            await visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
        else:
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % SIZE)
        await sender.send(visit.writer)

    async with exchange(answer, tmp_path) as client:
        client.begin("GET")
        await asyncio.wait_for(sender.stalled.wait(), 30)
        print(f"stalled after {sender.sent / MEBIBYTE:.0f} MiB")
        assert sender.sent < SIZE / 2
        head = await client.reader.readuntil(b"\r\n\r\n")
        assert (b"Transfer-Encoding: chunked" in head) is chunked
        if chunked:
            assert await dechunked(client.reader) == digest_of_all()
        else:
            assert await hashed(client.reader) == digest_of_all()
        client.assert_flat("down")


@pytest.mark.parametrize("chunked", [False, True], ids=["with a length", "chunked"])
async def test_an_upload_waits_for_a_slow_upstream(tmp_path: Path, chunked: bool) -> None:
    sender = Sender()
    received: list[str] = []

    async def answer(visit: Visit) -> None:
        head = await visit.head()
        assert (b"Transfer-Encoding: chunked" in head) is chunked
        await sender.stalled.wait()
        received.append(await (dechunked if chunked else hashed)(visit.reader))
        await visit.say(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")

    async with exchange(answer, tmp_path) as client:
        if chunked:
            client.begin("PUT", "Transfer-Encoding: chunked")
            client.writer.write(b"%x\r\n" % SIZE)
        else:
            client.begin("PUT", f"Content-Length: {SIZE}")
        sending = spawn(sender.send(client.writer), "sending")
        await asyncio.wait_for(sender.stalled.wait(), 30)
        print(f"stalled after {sender.sent / MEBIBYTE:.0f} MiB")
        assert sender.sent < SIZE / 2
        await sending
        if chunked:
            client.writer.write(b"\r\n0\r\n\r\n")
        assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 201 ")
        assert await client.reader.readexactly(2) == b"ok"
        assert received == [digest_of_all()]
        client.assert_flat("up")


async def dechunked(reader: asyncio.StreamReader) -> str:
    """The digest of chunked content, to its last chunk."""
    digest = hashlib.sha256()
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        digest.update(await reader.readexactly(size))
        assert await reader.readexactly(2) == b"\r\n"
    assert await reader.readexactly(2) == b"\r\n"
    return digest.hexdigest()
