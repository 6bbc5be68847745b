"""Both ends of a case: a recording Jupyter, and a client that sends exactly the bytes it is given.

Nothing sleeps: ``Tap`` counts the bytes labgate has taken on either side, so that
"byte by byte" means that each one was handed to the parser alone.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, ClassVar

import pytest
from aiohttp import web

from proxy.http1.client_connection import UpstreamConnection
from proxy.http1.server_connection import ServerConnection
from proxy.http1.upgraded_connection import UpgradedConnection
from proxy.web.front.client_tunnel import ClientTunnel
from tests.edges import Edge
from tests.upstreams import Visit
from tests.wire import messages
from tests.wire.messages import Message

LIMIT_SECONDS = float(os.environ.get("LABGATE_WIRE_SECONDS", "15"))
"""For one case, whatever it does: a hang is a failure."""

FOLLOW_UP = b"GET /follow-up HTTP/1.1\r\nHost: lab.example.org\r\nConnection: close\r\n\r\n"
SEEN = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nseen"
NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"


class Tap:
    """Counts the bytes one side of labgate has taken from its sockets."""

    def __init__(self) -> None:
        self.taken = 0
        self._changed = asyncio.Event()

    def took(self, count: int) -> None:
        self.taken += count
        self._changed.set()

    async def until(self, count: int) -> None:
        while self.taken < count:
            self._changed.clear()
            await self._changed.wait()


class Taps:
    """The tap of the edge and the tap of the upstream side."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.edge = Tap()
        self.upstream = Tap()
        at_upstream = UpstreamConnection.data_received

        def from_jupyter(connection: UpstreamConnection, data: bytes) -> None:
            at_upstream(connection, data)
            self.upstream.took(len(data))

        for kind in (ServerConnection, UpgradedConnection, web.RequestHandler, ClientTunnel):
            _tap(monkeypatch, kind, self.edge)
        monkeypatch.setattr(UpstreamConnection, "data_received", from_jupyter)


def _tap(monkeypatch: pytest.MonkeyPatch, kind: type[asyncio.Protocol], tap: Tap) -> None:
    taken = kind.data_received

    def data_received(connection: Any, data: bytes) -> None:
        taken(connection, data)
        tap.took(len(data))

    monkeypatch.setattr(kind, "data_received", data_received)


def pieces(data: bytes, *, most: int = 1500) -> list[bytes]:
    """Single bytes, or a little more of something very long."""
    size = len(data) // most + 1
    return [data[at : at + size] for at in range(0, len(data), size)]


class Recorder:
    """A Jupyter that answers every whole request and keeps every byte it was sent.

    ``answer`` gives the bytes for a request, ``ending`` what becomes of the connection.
    """

    def __init__(
        self,
        answer: Callable[[Message], Sequence[bytes]],
        *,
        tap: Tap | None = None,
        close_after: int = 0,
    ) -> None:
        self._answer = answer
        self._tap = tap
        self._close_after = close_after
        self.arrived = asyncio.Event()
        self.connections: list[bytearray] = []
        self.ended: list[asyncio.Event] = []
        self.answered = 0
        self.said = asyncio.Event()  # something, all of it or as much as labgate would hear

    async def __call__(self, visit: Visit) -> None:
        number = len(self.connections)
        received = bytearray()
        self.connections.append(received)
        self.ended.append(asyncio.Event())
        self.arrived.set()
        done = 0
        try:
            while data := await visit.reader.read(65536):
                received += data
                visit.received += data
                found, _ = messages.requests(bytes(received))
                for message in found[done:]:
                    if not message.complete:
                        break
                    done += 1
                    await self._say(visit, self._answer(message))
                    self.answered += 1
                    self.said.set()
                    if self.answered == self._close_after:
                        return
        finally:
            self.ended[number].set()

    async def _say(self, visit: Visit, parts: Sequence[bytes]) -> None:
        for part in parts:
            if self._tap is None or len(parts) == 1:
                await visit.say(part)
                continue
            goal = self._tap.taken + len(part)
            await visit.say(part)
            taking = asyncio.ensure_future(self._tap.until(goal))
            leaving = asyncio.ensure_future(visit.reader.read(1))
            try:
                await asyncio.wait({taking, leaving}, return_when=asyncio.FIRST_COMPLETED)
                if leaving.done():
                    leaving.exception()
                    return  # labgate hung up: the rest of a response it has refused
            finally:
                for task in (taking, leaving):
                    task.cancel()
                await asyncio.gather(taking, leaving, return_exceptions=True)

    def requests(self) -> list[Message]:
        """Every request that has arrived, whole or not; malformed bytes fail the test."""
        found: list[Message] = []
        for received in self.connections:
            some, rest = messages.requests(bytes(received))
            found += some
            if rest and all(message.complete for message in some):
                found.append(Message(rest, (), b"", False))
        return found


class Client:
    """One connection to labgate; ``all`` are those of the case under way."""

    all: ClassVar[list[Client]] = []

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, methods: Sequence[bytes]
    ) -> None:
        self._reader = reader
        self.writer = writer
        self.methods = list(methods)
        self.received = b""
        self.ended = ""
        self._reading = asyncio.ensure_future(self._read())
        self._changed = asyncio.Event()
        self.all.append(self)

    @classmethod
    async def to(cls, labgate: Edge, *methods: bytes) -> Client:
        return cls(*await labgate.connect(), methods)

    async def _read(self) -> None:
        try:
            while data := await self._reader.read(65536):
                self.received += data
                self._changed.set()
            self.ended = "close"
        except ConnectionError:
            self.ended = "reset"
        self._changed.set()

    async def send(self, data: Sequence[bytes], tap: Tap | None) -> None:
        """Each piece once the one before was taken; stops when labgate hangs up."""
        for piece in data:
            if self.ended:
                return
            goal = 0 if tap is None else tap.taken + len(piece)
            self.writer.write(piece)
            if tap is None or len(data) == 1:
                continue
            taking = asyncio.ensure_future(tap.until(goal))
            try:
                await asyncio.wait({taking, self._reading}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                taking.cancel()
                await asyncio.gather(taking, return_exceptions=True)

    def responses(self) -> list[Message]:
        """What has arrived; bytes that belong to no response fail the test."""
        clean = self.ended == "close"
        found, rest = messages.responses(self.received, self.methods, ended=clean)
        if rest and self.ended:
            raise messages.Malformed(f"left over: {rest!r}")
        return found

    async def until(self, count: int) -> None:
        """Until so many final responses are complete, or the connection has ended."""
        while not self.ended:
            finals = [one for one in self.responses() if one.status >= 200 and one.complete]
            if len(finals) >= count:
                return
            self._changed.clear()
            await self._changed.wait()

    async def until_end(self) -> None:
        await self._reading


@asynccontextmanager
async def within(seconds: float, recorder: Recorder | None = None) -> AsyncIterator[None]:
    """A hang is a failure, and says what had arrived until then."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        arrived = [] if recorder is None else [bytes(data) for data in recorder.connections]
        downs = [client.received for client in Client.all]
        pytest.fail(f"it hangs; down: {downs!r}; up: {arrived!r}")
    finally:
        Client.all.clear()
