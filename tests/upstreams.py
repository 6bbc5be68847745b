"""Upstreams that record every byte and answer as a test tells them."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from proxy.net.upstream_address import UpstreamAddress

Answer = Callable[["Visit"], Awaitable[None]]


class Visit:
    """One connection from labgate."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.received = b""

    async def head(self) -> bytes:
        """The next request head, raw."""
        data = await self.reader.readuntil(b"\r\n\r\n")
        self.received += data
        return data

    async def exactly(self, count: int) -> bytes:
        """The next bytes."""
        data = await self.reader.readexactly(count)
        self.received += data
        return data

    async def say(self, data: bytes) -> None:
        """Write to labgate."""
        self.writer.write(data)
        await self.writer.drain()


class Upstream:
    """A listening upstream; ``visits`` are its connections in order."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.visits: list[Visit] = []
        self.arrived = asyncio.Event()
        self.address = UpstreamAddress("127.0.0.1", 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visit = Visit(reader, writer)
        self.visits.append(visit)
        self.arrived.set()
        try:
            await self.answer(visit)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    @property
    def heads(self) -> bytes:
        """Everything that was received, over all connections."""
        return b"".join(visit.received for visit in self.visits)


@asynccontextmanager
async def upstream(
    answer: Answer, path: Path | None = None, context: ssl.SSLContext | None = None
) -> AsyncIterator[Upstream]:
    """Run an upstream on a free loopback port, with TLS if there is a context, or on a socket."""
    running = Upstream(answer)
    if path is not None:
        server = await asyncio.start_unix_server(running.serve, path, limit=2**20)
        running.address = UpstreamAddress("localhost", 80, str(path))
    else:
        server = await asyncio.start_server(running.serve, "127.0.0.1", 0, limit=2**20, ssl=context)
        port = server.sockets[0].getsockname()[1]
        running.address = UpstreamAddress("127.0.0.1", port)
    try:
        yield running
    finally:
        server.close()
        for visit in running.visits:
            visit.writer.close()
            with suppress(ConnectionError):
                await visit.writer.wait_closed()


def says(*answers: bytes, close: bool = False) -> Answer:
    """Give these whole answers, one a request (requests without content)."""

    async def answer(visit: Visit) -> None:
        for data in answers:
            await visit.head()
            await visit.say(data)
        if not close:
            await visit.reader.read()

    return answer


OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
