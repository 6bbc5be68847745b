"""A file of the cache on its way to a client that reads slowly, or that leaves."""

from __future__ import annotations

import asyncio

import pytest

from proxy.cache.stored_file import FileAnswer
from proxy.proxying.result import Result
from proxy.proxying.stored_response import PIECE_BYTES, StoredResponse
from proxy.rules.head import Field
from tests.proxying.memory_front import MemoryFront
from tests.proxying.test_forwarder_in_memory import SlowFront

ETAG: Field = (b"Etag", b'"1"')
DATE: Field = (b"Date", b"Mon, 23 Nov 2026 12:00:00 GMT")
EXTRA: Field = (b"Set-Cookie", b"a=b")


class Client(SlowFront):
    """Keeps how the head was sent, and the sizes of the pieces."""

    def __init__(self) -> None:
        super().__init__()
        self.head_sent: tuple[object, ...] = ()
        self.pieces: list[int] = []
        self.flushed = 0
        self.takes = 100

    def send_head(
        self, status: int, reason: bytes, fields: list[Field], **how: bool
    ) -> list[Field]:
        self.head_sent = (status, reason, tuple(fields), how["sized"], how["dated"])
        return []

    def send_body(self, data: bytes) -> None:
        self.pieces.append(len(data))
        self.takes -= 1
        self.congested = self.takes <= 0
        super().send_body(data)

    def flush(self) -> None:
        self.flushed += 1

    def read_on(self) -> None:
        assert self.writable is not None, "nobody waits"
        self.writable()

    @property
    def awaited(self) -> bool:
        return self.writable is not None


class Owner:
    """Who is told."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.results: list[Result] = []

    def on_status(self, status: int) -> None:
        self.statuses.append(status)

    def on_result(self, result: Result) -> None:
        self.results.append(result)


def sent(client: MemoryFront, answer: FileAnswer) -> tuple[StoredResponse, Owner]:
    owner = Owner()
    response = StoredResponse(client, answer, (EXTRA,), owner)
    response.send()
    return response, owner


@pytest.mark.parametrize(
    ("status", "fields", "content", "head"),
    [
        (200, (ETAG,), b"file", (200, b"OK", (ETAG, EXTRA), True, False)),
        (200, (ETAG, DATE), b"file", (200, b"OK", (ETAG, DATE, EXTRA), True, True)),
        (304, (ETAG,), b"", (304, b"Not Modified", (ETAG, EXTRA), False, False)),
    ],
)
async def test_the_head_says_what_the_file_is(
    status: int, fields: tuple[Field, ...], content: bytes, head: tuple[object, ...]
) -> None:
    client = Client()
    _, owner = sent(client, FileAnswer(status, list(fields), content))
    assert client.head_sent == head
    assert client.content == content
    assert client.ended.result() == "complete"
    assert owner.statuses == [status]
    assert owner.results == [Result(status, 0, len(content), outcome="cached")]


async def test_a_large_file_goes_in_pieces_as_the_client_takes_them() -> None:
    client, size = Client(), 2 * PIECE_BYTES + 1
    client.takes = 1
    _, owner = sent(client, FileAnswer(200, [], bytes(size)))
    assert client.pieces == [PIECE_BYTES]
    assert not client.ended.done()
    client.takes, client.congested = 2, False
    client.read_on()
    assert client.pieces == [PIECE_BYTES], "whoever called may be sending"
    await asyncio.sleep(0)
    assert client.pieces == [PIECE_BYTES, PIECE_BYTES, 1]
    assert client.flushed == 2, "after each piece but the last"
    assert not client.awaited
    assert client.ended.result() == "complete"
    assert owner.results == [Result(200, 0, size, outcome="cached")]


async def test_a_client_that_leaves_gets_no_more() -> None:
    client = Client()
    client.takes = 1
    response, owner = sent(client, FileAnswer(200, [], bytes(2 * PIECE_BYTES)))
    assert response.abandon() == Result(200, 0, PIECE_BYTES)
    assert not client.awaited
    assert owner.results == []


async def test_a_client_that_leaves_before_its_turn_gets_no_more() -> None:
    client = Client()
    client.takes = 1
    response, owner = sent(client, FileAnswer(200, [], bytes(2 * PIECE_BYTES)))
    client.takes, client.congested = 2, False
    client.read_on()
    assert response.abandon() == Result(200, 0, PIECE_BYTES)
    await asyncio.sleep(0)
    assert client.pieces == [PIECE_BYTES]
    assert owner.results == []
