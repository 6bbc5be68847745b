"""Many connections at once that each wait for their answer before they ask again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

from tests.bench.clients import SMALL_BYTES, Address
from tests.bench.frames import client_frame, server_frame
from tests.bench.loops import run

CONNECT_SECONDS = 30.0


@dataclass(frozen=True)
class Asked:
    """What a crowd did: how many answers, and each one's time in µs."""

    answers: int
    times: list[float]


Complete = Callable[[bytes], bool]


class Asker(asyncio.Protocol):
    """One connection of the crowd."""

    def __init__(self, opening: bytes, question: bytes, complete: Complete) -> None:
        self._opening = opening
        self._question = question
        self._complete = complete
        self._received = b""
        self._asked_at = 0.0
        self._until = 0.0
        self._transport: asyncio.Transport | None = None
        loop = asyncio.get_running_loop()
        self.open: asyncio.Future[None] = loop.create_future()
        self.done: asyncio.Future[None] = loop.create_future()
        self.gone: asyncio.Future[None] = loop.create_future()
        self.times: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if self._opening:
            self._transport.write(self._opening)
        else:
            self.open.set_result(None)

    def start(self, until: float) -> None:
        """Ask again and again until the clock says ``until``."""
        self._until = until
        self._ask()

    def abort(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if not self.open.done():
            if self._received.endswith(b"\r\n\r\n"):
                self._opened()
            return
        if not self._complete(self._received):
            return
        self._received = b""
        now = time.perf_counter()
        self.times.append((now - self._asked_at) * 1e6)
        if now < self._until:
            self._ask()
        elif not self.done.done():
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        lost = ConnectionError("the proxy closed a connection")
        for waiting in (self.open, self.done):
            if not waiting.done():
                waiting.set_exception(lost)
        self.gone.set_result(None)

    def _opened(self) -> None:
        if self._received.startswith(b"HTTP/1.1 101"):
            self.open.set_result(None)
        else:
            self.open.set_exception(ConnectionError(f"answered {self._received[:200]!r}"))
        self._received = b""

    def _ask(self) -> None:
        assert self._transport is not None
        self._asked_at = time.perf_counter()
        self._transport.write(self._question)


def ask_http(address: Address, connections: int, seconds: float, target: str = "/small") -> Asked:
    """Requests for 1 KiB."""

    def complete(received: bytes) -> bool:
        end = received.find(b"\r\n\r\n")
        return end >= 0 and len(received) - end - 4 >= SMALL_BYTES

    return run(_ask(address, connections, seconds, b"", address.get(target.encode()), complete))


def ask_websockets(address: Address, connections: int, seconds: float) -> Asked:
    """Messages of 200 bytes that are echoed."""
    question, size = client_frame(200), len(server_frame(200))
    opening = address.upgrade(b"/ws/echo/%d" % len(question))

    def complete(received: bytes) -> bool:
        return len(received) >= size

    return run(_ask(address, connections, seconds, opening, question, complete))


async def _ask(
    address: Address,
    connections: int,
    seconds: float,
    opening: bytes,
    question: bytes,
    complete: Complete,
) -> Asked:
    loop = asyncio.get_running_loop()
    askers: list[Asker] = []
    try:
        async with asyncio.timeout(CONNECT_SECONDS + seconds):
            for _ in range(connections):
                _, asker = await loop.create_connection(
                    lambda: Asker(opening, question, complete),
                    "127.0.0.1",
                    address.port,
                    ssl=address.tls,
                    server_hostname="localhost",
                )
                askers.append(asker)
                await asker.open
            until = time.perf_counter() + seconds
            for asker in askers:
                asker.start(until)
            await asyncio.gather(*(asker.done for asker in askers))
    finally:
        for asker in askers:
            # Nobody waits for the other one of its two endings any more.
            for waiting in (asker.open, asker.done):
                waiting.cancel()
            asker.abort()
        # A loop that is closed over open sockets fails (uv_loop_close(3): UV_EBUSY).
        await asyncio.gather(*(asker.gone for asker in askers))
    times = [one for asker in askers for one in asker.times]
    return Asked(len(times), times)
