"""Thousands of connections of one address, against the real program as it is installed.

127.0.0.2 is the crowd, 127.0.0.3 somebody else.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from proxy.edge.limits import DEFAULT_LIMITS
from proxy.process import room_for
from proxy.upstream.reset import reset
from tests.e2e.programs import Labgate
from tests.upstreams import OK, Visit, upstream

CROWD, OTHER = "127.0.0.2", "127.0.0.3"
COUNT = 2000
SECONDS = 120.0
ASKED = 20

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def jupyter(visit: Visit) -> None:
    """As tornado does it: leave first, then the content, then the answer."""
    while True:
        head = await visit.head()
        if b"Expect: 100-continue" in head:
            await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n")
            await visit.exactly(5)
        await visit.say(OK)


@asynccontextmanager
async def crowd(port: int, data: bytes) -> AsyncIterator[list[Streams]]:
    """So many connections of one address, each of which has said ``data``."""
    room_for(2 * COUNT)
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
                assert len(behind.visits) <= DEFAULT_LIMITS.requests_per_address + ASKED
            assert "Traceback" not in labgate.told
        finally:
            await asyncio.to_thread(labgate.kill)
