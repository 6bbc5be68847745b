"""Random frames, cuts, resets and pauses: nothing is raised, and nothing stays open or kept."""

from __future__ import annotations

import asyncio
import random
from time import monotonic
from typing import Any

import pytest

from proxy.http2.server import Http2Server
from proxy.http2.server_connection import Http2Connection
from proxy.messages import RequestBody, Responder, send_response
from proxy.rules.head import Arrival, RequestHead
from proxy.short_response import plain
from tests.http2 import frames
from tests.wire.http2_corpus import load

CLIENT = "192.0.2.1"
SENT = [case.sent for case in load() if len(case.sent) < 6000]
ROUNDS = 300


class Wire(asyncio.Transport):
    """A transport that keeps nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = False

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def get_write_buffer_size(self) -> int:
        return 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert len(data)

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = True


class Nothing:
    def cancel(self) -> None:
        pass


class Application:
    """Takes content, and responds at once, later or never."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self.waiting: list[Responder] = []

    def __call__(self, head: RequestHead, body: RequestBody, responder: Responder) -> Nothing:
        def take() -> None:
            try:
                while (piece := body.take()) is not None:
                    if not piece:
                        body.when_more(None)
                        return
            except Exception:
                body.when_more(None)

        body.when_more(take)
        take()
        if self._chance.random() < 0.5:
            self.end(responder)
        else:
            self.waiting.append(responder)
        return Nothing()

    def end(self, responder: Responder) -> None:
        match self._chance.randrange(5):
            case 0:
                responder.abort()
            case 1:
                responder.close()
            case 2:
                responder.fail(RuntimeError("on purpose"), plain(500, "failed"))
            case _:
                size = self._chance.choice([1, 10, 100_000])
                send_response(responder, plain(200, "x" * size))

    def end_some(self) -> None:
        for responder in self.waiting[:]:
            if self._chance.random() < 0.5:
                self.waiting.remove(responder)
                self.end(responder)


def mutated(chance: random.Random) -> bytes:
    """Two cases of the corpus, with some octets changed."""
    data = bytearray(chance.choice(SENT) + chance.choice(SENT)[33:])
    for _ in range(chance.choice([0, 0, 1, 2, 5])):
        at = chance.randrange(24, len(data))
        match chance.randrange(3):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + chance.randint(1, 3)]
            case _:
                data[at:at] = chance.randbytes(chance.randint(1, 4))
    return bytes(data)


def connected(server: Http2Server) -> Http2Connection:
    slot = server.connection_limit.acquire(CLIENT)
    assert slot is not None
    connection = Http2Connection(server, Arrival(CLIENT), slot, monotonic())
    connection.connection_made(Wire())
    return connection


@pytest.mark.parametrize("seed", range(4))
async def test_no_fault_and_no_leak(seed: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL", "labgate")
    chance = random.Random(seed)
    for _ in range(ROUNDS):
        application = Application(chance)
        server = Http2Server(application)
        connection = connected(server)
        data = mutated(chance)
        while data:
            size = chance.choice([1, 9, 30, 100, 10_000])
            connection.data_received(data[:size])
            data = data[size:]
            match chance.randrange(12):
                case 0 | 1:
                    connection.pause_writing()
                case 2 | 3:
                    connection.resume_writing()
                case 4:
                    connection.drain()
                case 5:
                    connection.enforce_timeouts(monotonic() + chance.choice([0, 100, 1000]))
            application.end_some()
            await asyncio.sleep(0)
        connection.connection_lost(None)
        application.end_some()
        assert len(server.stream_limit) == len(server.connection_limit) == 0
        assert not server.connections


async def test_what_was_reset_does_not_wait_for_a_client_that_reads_nothing() -> None:
    connection = connected(Http2Server(Application(random.Random(1))))
    connection.data_received(frames.PREFACE + frames.settings())
    connection.pause_writing()
    for number in range(1, 401, 2):
        connection.data_received(frames.get(number))
        connection.data_received(frames.rst_stream(number))
    connection.data_received(frames.get(401))
    assert [stream.id for stream in connection._receiver.waiting] == [401]
    connection.connection_lost(None)
