"""Thousands of connections of one address, against the real program as it is installed.

127.0.0.2 is the crowd, 127.0.0.3 somebody else.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from proxy.net.limits import DEFAULT_LIMITS
from proxy.net.reset import reset
from proxy.runtime.descriptors import raise_descriptor_limit
from tests.e2e.programs import Labgate, resident_memory, until
from tests.e2e.test_slow_clients import descriptors
from tests.upstreams import OK, Visit, upstream

CROWD, OTHER = "127.0.0.2", "127.0.0.3"
COUNT = 2000
SECONDS = 120.0
ASKED = 20
# Of a connection that is only a socket; with TLS begun it would be 50 KiB.
ARRIVAL_BYTES = 8 * 1024

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Continuing:
    """As tornado does it: leave first, then the content, then the answer.

    Attributes:
        most: How many requests have waited for their content at the same time.
    """

    def __init__(self) -> None:
        self.most = self._waiting = 0

    async def __call__(self, visit: Visit) -> None:
        while True:
            head = await visit.head()
            if b"Expect: 100-continue" in head:
                self._waiting += 1
                self.most = max(self.most, self._waiting)
                try:
                    await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n")
                    await visit.exactly(5)
                finally:
                    self._waiting -= 1
            await visit.say(OK)


@asynccontextmanager
async def crowd(port: int, data: bytes) -> AsyncIterator[list[Streams]]:
    """So many connections of one address, each of which has said ``data``."""
    raise_descriptor_limit(2 * COUNT)
    members: list[Streams] = []
    try:
        for _ in range(COUNT):
            streams = await asyncio.open_connection("127.0.0.1", port, local_addr=(CROWD, 0))
            streams[1].write(data)
            members.append(streams)
        yield members
    finally:
        for _, writer in members:
            reset(writer.transport)


async def status(labgate: Labgate, address: str, target: str) -> int:
    """Of a request by somebody, on a connection of its own."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", labgate.http_port, local_addr=(address, 0)
    )
    writer.write(f"GET {target} HTTP/1.1\r\nHost: lab.example.org\r\n\r\n".encode())
    try:
        return int((await reader.readuntil(b"\r\n"))[9:12])
    finally:
        writer.close()


async def test_requests_that_never_continue_keep_nobody_else_out(tmp_path: Path) -> None:
    jupyter = Continuing()
    async with asyncio.timeout(SECONDS), upstream(jupyter) as behind:
        address = f"http://127.0.0.1:{behind.address.port}"
        place = ("--no-tls", "--bind", "127.0.0.1", "--domain", "lab.example.org")
        labgate = Labgate(tmp_path, "serve", *place, "--upstream", address, tls=False)
        await asyncio.to_thread(labgate.start)
        try:
            head = b"POST / HTTP/1.1\r\nHost: lab.example.org\r\nContent-Length: 5\r\n"
            head += b"Connection: Expect\r\nExpect: 100-continue\r\n\r\n"
            async with crowd(labgate.http_port, head) as members:
                answers = {(await reader.readline())[9:12] for reader, _ in members}
                assert answers == {b"100", b"503"}, "the expectation goes up, and is bounded"
                for _ in range(ASKED):
                    assert await status(labgate, OTHER, "/") == 200
                    assert await status(labgate, OTHER, "/.labgate/health") == 200
                # The upstream may see a request's end a little later than labgate.
                assert jupyter.most <= DEFAULT_LIMITS.requests_per_address + ASKED
            assert "Traceback" not in labgate.log
        finally:
            await asyncio.to_thread(labgate.kill)


SILENT = 4000
HELLO = bytes.fromhex("160301 0200 010001fc 0303") + bytes(180)
"""The beginning of a ClientHello that never ends."""


async def canary(labgate: Labgate) -> int:
    """Somebody else's request over TLS; its status."""
    reader, writer = await asyncio.open_connection(
        "localhost", labgate.https_port, ssl=labgate.trusting, local_addr=(OTHER, 0)
    )
    host = f"localhost:{labgate.https_port}"
    writer.write(f"GET /.labgate/health HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
    try:
        return int((await reader.readuntil(b"\r\n"))[9:12])
    finally:
        writer.transport.abort()


@pytest.mark.parametrize("start", [b"", HELLO], ids=["silent", "a partial ClientHello"])
async def test_handshakes_that_never_end_keep_nobody_else_out(tmp_path: Path, start: bytes) -> None:
    raise_descriptor_limit(2 * SILENT)
    place = ("--bind", "127.0.0.1", "--upstream", "http://127.0.0.1:9")
    # Long enough to have all of them there at once.
    patience = {"LABGATE_LIMITS__HANDSHAKE_SECONDS": "60"}
    labgate = Labgate(tmp_path, "serve", *place, environment=patience)
    async with asyncio.timeout(SECONDS):
        await asyncio.to_thread(labgate.start)
        try:
            assert await canary(labgate) == 200
            before = descriptors(labgate.pid), resident_memory(labgate.pid)
            with ExitStack() as opened:
                for _ in range(SILENT):
                    client = opened.enter_context(socket.socket())
                    client.bind((CROWD, 0))
                    # Who is turned away hears it at once, or with whatever it does next.
                    with suppress(ConnectionError):
                        client.connect(("127.0.0.1", labgate.https_port))
                        client.sendall(start)
                assert await canary(labgate) == 200
                held = descriptors(labgate.pid) - before[0]
                # The canary's own connection may not have ended yet.
                assert held <= DEFAULT_LIMITS.connections_per_address + 1
                assert held >= DEFAULT_LIMITS.connections_per_address // 2, "they were there"
                assert resident_memory(labgate.pid) - before[1] <= held * ARRIVAL_BYTES
                assert "127.0.0.2 is turned away" in labgate.log
            await asyncio.to_thread(
                until, lambda: descriptors(labgate.pid) <= before[0] + 2, "not let go"
            )
            assert "Traceback" not in labgate.log
        finally:
            await asyncio.to_thread(labgate.kill)
