"""Mixed traffic, well-behaved and not: each kind repeats itself until the end.

Every client's every step has a time limit, and there is a fixed number of clients.
"""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress

from websockets.asyncio.client import connect
from websockets.exceptions import WebSocketException

from proxy.net.reset import reset

STEP_SECONDS = 60.0
PAUSE_SECONDS = 0.2
FAILED_PAUSE_SECONDS = 2.0

Failure = (OSError, EOFError, TimeoutError, WebSocketException, asyncio.LimitOverrunError)

CROWD = {
    "gets": 4,
    "pipelined": 2,
    "uploads": 2,
    "downloads": 2,
    "slow_downloads": 2,
    "websockets": 6,
    "aborted_websockets": 2,
    "slow_heads": 4,
    "slow_uploads": 4,
    "aborted_heads": 2,
    "aborted_uploads": 2,
    "aborted_downloads": 2,
    "aborted_handshakes": 1,
}
"""How many clients of each kind; the names are ``Load``'s methods."""


class Load:
    """The clients of one labgate.

    Attributes:
        done: How often each kind reached its end.
        failed: How often one was cut short, as by a restart of the upstream.
    """

    def __init__(self, port: int, trusting: ssl.SSLContext) -> None:
        self._port = port
        self._trusting = trusting
        self._host = b"Host: localhost:%d\r\n" % port
        self.done: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()

    async def run(self, seconds: float) -> None:
        """All kinds at once, for so long."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for kind, clients in CROWD.items():
                for _ in range(clients):
                    group.create_task(self._repeat(kind, until))

    async def _repeat(self, kind: str, until: float) -> None:
        visit: Callable[[], Awaitable[None]] = getattr(self, kind)
        while time.monotonic() < until:
            try:
                async with asyncio.timeout(STEP_SECONDS):
                    await visit()
                self.done[kind] += 1
                pause_seconds = PAUSE_SECONDS
            except Failure:
                self.failed[kind] += 1
                pause_seconds = FAILED_PAUSE_SECONDS
            await asyncio.sleep(random.uniform(0, pause_seconds))

    # Well-behaved

    async def gets(self) -> None:
        async with Client(self._port, self._trusting) as client:
            for size in (0, 0, 1000, 0, 100_000, 0, 0, 0):
                client.say(self._get(b"/bytes/%d" % size if size else b"/small"))
                await client.answer()
                await asyncio.sleep(0.02)

    async def pipelined(self) -> None:
        async with Client(self._port, self._trusting) as client:
            client.say(self._get(b"/bytes/5000") * 8)
            for _ in range(8):
                await client.answer()

    async def uploads(self) -> None:
        async with Client(self._port, self._trusting) as client:
            client.say(self._put(2**20))
            await client.drained(bytes(2**20))
            await client.answer()
            client.say(
                b"PUT /sink HTTP/1.1\r\n" + self._host + b"Transfer-Encoding: chunked\r\n\r\n"
            )
            for _ in range(16):
                await client.drained(b"8000\r\n" + bytes(0x8000) + b"\r\n")
            client.say(b"0\r\n\r\n")
            await client.answer()

    async def downloads(self) -> None:
        async with Client(self._port, self._trusting) as client:
            client.say(self._get(b"/bytes/8000000"))
            await client.answer()

    async def websockets(self) -> None:
        async with self._websocket() as channel:
            for number in range(50):
                message = random.randbytes(random.choice((10, 1000, 70_000)))
                await channel.send(message)
                assert await channel.recv() == message, number
                await asyncio.sleep(0.05)

    # Slow

    async def slow_downloads(self) -> None:
        async with Client(self._port, self._trusting) as client:
            client.say(self._get(b"/bytes/3000000"))
            await client.answer(pause_seconds=0.2)

    async def slow_heads(self) -> None:
        async with Client(self._port, self._trusting) as client:
            client.say(b"GET /small HTTP/1.1\r\n")
            await self._drip(client, b"X-Slow: 1\r\n")

    async def slow_uploads(self) -> None:
        async with Client(self._port, self._trusting) as client:
            client.say(self._put(10_000))
            await self._drip(client, b"x")

    async def _drip(self, client: Client, piece: bytes) -> None:
        """Go on slowly until labgate ends it, which it must."""
        ended = asyncio.ensure_future(client.rest())
        try:
            while not ended.done():
                client.say(piece)
                await asyncio.wait({ended}, timeout=1)
        finally:
            ended.cancel()
            with suppress(asyncio.CancelledError, *Failure):
                await ended

    # Gone in the middle

    async def aborted_websockets(self) -> None:
        async with self._websocket() as channel:
            for _ in range(random.randrange(5)):
                await channel.send(bytes(1000))
                await channel.recv()
            await channel.send(bytes(100_000))
            channel.transport.abort()

    async def aborted_heads(self) -> None:
        await self._aborted(self._get(b"/small"), random.randrange(1, 40))

    async def aborted_uploads(self) -> None:
        await self._aborted(self._put(2**20) + bytes(random.randrange(2**19)))

    async def aborted_downloads(self) -> None:
        await self._aborted(self._get(b"/bytes/8000000"))

    async def aborted_handshakes(self) -> None:
        _, writer = await asyncio.open_connection("localhost", self._port)
        writer.write(random.randbytes(random.randrange(20)))
        await asyncio.sleep(random.uniform(0, 0.1))
        reset(writer.transport)

    async def _aborted(self, request: bytes, length: int | None = None) -> None:
        async with Client(self._port, self._trusting) as client:
            client.say(request[:length])
            await asyncio.sleep(random.uniform(0, 0.2))
            client.reset()

    def _websocket(self) -> connect:
        address = f"wss://localhost:{self._port}/echo"
        return connect(
            address,
            ssl=self._trusting,
            origin=f"https://localhost:{self._port}",  # type: ignore[arg-type]  # a NewType
            max_size=None,
            compression=None,
        )

    def _get(self, target: bytes) -> bytes:
        return b"GET " + target + b" HTTP/1.1\r\n" + self._host + b"\r\n"

    def _put(self, size: int) -> bytes:
        return b"PUT /sink HTTP/1.1\r\n" + self._host + b"Content-Length: %d\r\n\r\n" % size


class Client:
    """One raw TLS connection."""

    def __init__(self, port: int, trusting: ssl.SSLContext) -> None:
        self._port = port
        self._trusting = trusting

    async def __aenter__(self) -> Client:
        self._reader, self._writer = await asyncio.open_connection(
            "localhost", self._port, ssl=self._trusting
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()

    def say(self, data: bytes) -> None:
        self._writer.write(data)

    async def drained(self, data: bytes) -> None:
        self._writer.write(data)
        await self._writer.drain()

    async def answer(self, pause_seconds: float = 0) -> None:
        """Read a whole 200; another one, of labgate's about the upstream, is a failure."""
        head = await self._reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200 "):
            raise ConnectionError(head.partition(b"\r\n")[0])
        left = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        while left:
            piece = await self._reader.read(min(left, 2**16))
            if not piece:
                raise EOFError
            left -= len(piece)
            await asyncio.sleep(pause_seconds)

    async def rest(self) -> bytes:
        """Everything until the end."""
        return await self._reader.read()

    def reset(self) -> None:
        reset(self._writer.transport)
