"""A server behind labgate, as a process: ``python -m tests.e2e.origin PORT``.

- a WebSocket: every message comes back, without compression and however long it is
- ``GET /bytes/N``: N bytes
- anything else: reads the content, answers 1 KiB

Of Autobahn's cases 1.* to 10.* aiohttp's WebSockets fail one: 7.9.5 wants close code 1014
refused, which IANA has registered since.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from pathlib import Path

from aiohttp import WSMsgType, web

from tests.e2e.programs import Program, free_port

PIECE = b"x" * 2**16


class Origin(Program):
    """The process, on a port of its own that stays the same when it is started again."""

    name = "origin"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.port = free_port()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def command(self) -> list[str]:
        return [sys.executable, "-m", "tests.e2e.origin", str(self.port)]

    def ready(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


async def answer(request: web.BaseRequest) -> web.StreamResponse:
    """One request."""
    if "upgrade" in request.headers:
        return await echo(request)
    if request.path.startswith("/bytes/"):
        return await give(request, int(request.path.rpartition("/")[2]))
    async for _ in request.content.iter_any():
        pass
    return web.Response(body=PIECE[:1024])


async def echo(request: web.BaseRequest) -> web.StreamResponse:
    """Send every message back as it came."""
    channel = web.WebSocketResponse(compress=False, max_msg_size=0)
    await channel.prepare(request)
    async for message in channel:
        if message.type is WSMsgType.TEXT:
            await channel.send_str(message.data)
        elif message.type is WSMsgType.BINARY:
            await channel.send_bytes(message.data)
    return channel


async def give(request: web.BaseRequest, size: int) -> web.StreamResponse:
    """Send ``size`` bytes, as fast as they are taken."""
    response = web.StreamResponse()
    response.content_length = size
    await response.prepare(request)
    while size:
        piece = PIECE[:size]
        await response.write(piece)
        size -= len(piece)
    await response.write_eof()
    return response


async def serve(port: int) -> None:
    """Until the process is ended."""
    server = web.Server(answer)
    loop = asyncio.get_running_loop()
    await loop.create_server(server, "127.0.0.1", port, backlog=4096)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
