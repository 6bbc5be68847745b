"""Requests byte by byte: however the other side behaves, the connection ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from proxy.doctor.raw import exchange
from proxy.doctor.target import Target

UPLOAD_BYTES = 50_000_000


async def test_what_nobody_reads_is_dropped() -> None:
    """A server that has refused an upload by its head may never read it, nor hang up."""
    answered, received = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await answered.wait()
        count = 0
        with suppress(ConnectionError):
            while piece := await reader.read(2**20):
                count += len(piece)
        writer.close()
        received.set_result(count)

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        target = Target("http", "127.0.0.1", server.sockets[0].getsockname()[1])
        head = f"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n"
        answer = await exchange(target, None, head.encode(), "PUT /", body=[b"x" * UPLOAD_BYTES])
        answered.set()
        assert answer.status == 413
        assert await received < UPLOAD_BYTES
