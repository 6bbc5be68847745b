"""Compressed responses on their way: whole, in order, at once where they must, or broken off."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from proxy.compression.compressed_response import THREAD_BYTES
from proxy.compression.compressor import (
    COMPRESSION_THREADS,
    MAX_CONCURRENT_RESPONSES,
    MAX_CONCURRENT_RESPONSES_PER_ADDRESS,
)
from proxy.compression.encoders import ENCODERS, ZstdEncoder
from proxy.rules.compression import CODINGS, compressible_folders
from proxy.rules.site import make_site
from tests.compression.test_encoders import DECODERS
from tests.edges import PUBLIC, Edge, edge, request
from tests.upstreams import OK, Answer, Upstream, Visit, says, upstream

SCRIPT = b"Content-Type: text/javascript"
HEAD = b"HTTP/1.1 200 OK\r\n" + SCRIPT + b"\r\n"
FILE = b"/static/lab/main.js"
LARGE = random.Random(2).randbytes(50_000).hex().encode() * 20
ENDS_HERE = b"0\r\n\r\n"
LARGER_THAN_ANY_MEMORY = 1 << 47
"""Bytes: no thread with a stack of this size can be started."""


@asynccontextmanager
async def compressing(answer: Answer) -> AsyncIterator[tuple[Edge, Upstream]]:
    async with asyncio.timeout(60), upstream(answer) as jupyter:
        site = make_site((PUBLIC,), jupyter.address.origin, compressible=compressible_folders("/"))
        async with edge(jupyter.address, site=site) as running:
            yield running, jupyter
            assert len(running.services.compressor.limit) == 0, "an encoder is left"


def sized(content: bytes, *lines: bytes) -> bytes:
    fields = b"".join(line + b"\r\n" for line in lines)
    return HEAD + fields + b"Content-Length: %d\r\n\r\n" % len(content) + content


def accept(coding: bytes) -> bytes:
    return b"Accept-Encoding: " + coding


def in_chunks(content: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(content), content) + ENDS_HERE


def unchunked(body: bytes) -> bytes:
    pieces: list[bytes] = []
    start = 0
    while True:
        end = body.index(b"\r\n", start)
        size, start = int(body[start:end], 16), end + 2
        if not size:
            assert body[start:] == b"\r\n"
            return b"".join(pieces)
        pieces.append(body[start : start + size])
        start += size + 2


@pytest.mark.both_loops
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("content", [LARGE[:THREAD_BYTES], LARGE], ids=["small", "large"])
async def test_a_file_arrives_whole(coding: bytes, content: bytes) -> None:
    """A large one through a thread, piece by piece."""
    async with compressing(says(sized(content, b'ETag: "a"'))) as (running, jupyter):
        answer = await running.ask(request(FILE, accept(coding)))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    assert b"content-encoding: " + coding in lines
    assert b"vary: accept-encoding" in lines
    assert b'etag: w/"a"' in lines
    assert b"content-length" not in head.lower()
    encoded = unchunked(body)
    assert DECODERS[coding]()(encoded) == content
    assert len(encoded) < len(content)
    assert accept(coding).lower() in jupyter.heads.lower(), (
        "what the client accepts is Jupyter's to know, too"
    )
    [record] = running.records
    assert (record.outcome, record.bytes_down) == ("forwarded", len(encoded))


def no_memory(*_: object) -> bytes:
    raise MemoryError("no memory left")


@pytest.mark.parametrize("content", [LARGE[:THREAD_BYTES], LARGE], ids=["small", "large"])
@pytest.mark.parametrize("step", ["encode", "flush", "finish"])
async def test_a_fault_while_compressing_breaks_the_response_off(
    step: str, content: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client sees that it is not complete; labgate goes on, and serves the next one."""
    faulty = type("Faulty", (ZstdEncoder,), {step: no_memory})
    monkeypatch.setitem(ENCODERS, b"zstd", faulty)
    answer = says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + in_chunks(content), OK)
    async with compressing(answer) as (labgate, _):
        with suppress(ConnectionResetError):
            assert not (await labgate.ask(request(FILE, accept(b"zstd")))).endswith(ENDS_HERE)
        (record,) = labgate.records
        assert record.outcome == "could not be compressed: no memory left"
        assert labgate.services.open_requests.count == 0
        assert (await labgate.ask(request(b"/x"))).startswith(b"HTTP/1.1 200 OK")


@pytest.mark.parametrize("ended", [True, False], ids=["at its end", "before"])
async def test_where_no_thread_can_be_started_the_response_is_broken_off(ended: bool) -> None:
    """As with a limit on tasks (``TasksMax``): the client does not wait for what never comes."""
    content = LARGE[: 2 * THREAD_BYTES]
    pieces = in_chunks(content) if ended else in_chunks(content).removesuffix(ENDS_HERE)
    answer = says(HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces)
    async with compressing(answer) as (labgate, _):
        before = threading.stack_size(LARGER_THAN_ANY_MEMORY)
        try:
            with suppress(ConnectionResetError):
                assert not (await labgate.ask(request(FILE, accept(b"zstd")))).endswith(ENDS_HERE)
        finally:
            threading.stack_size(before)
        (record,) = labgate.records
        assert record.outcome == "could not be compressed: can't start new thread"
        assert labgate.services.open_requests.count == 0


@pytest.mark.parametrize("ended", [True, False], ids=["at its end", "before"])
async def test_what_waits_for_a_thread_is_broken_off_when_no_more_work_is_taken(
    ended: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a reload removes the route: the client does not wait for what never comes."""
    here, go_on, busy = threading.get_ident(), threading.Event(), threading.Semaphore(0)

    class Held(ZstdEncoder):
        def encode(self, data: bytes) -> bytes:
            if threading.get_ident() != here:
                busy.release()
                go_on.wait()
            return super().encode(data)

    monkeypatch.setitem(ENCODERS, b"zstd", Held)
    content = LARGE[: 2 * THREAD_BYTES]
    pieces = in_chunks(content) if ended else in_chunks(content).removesuffix(ENDS_HERE)
    number = COMPRESSION_THREADS + 1
    answers = [HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + pieces] * number
    async with compressing(says(*answers)) as (labgate, jupyter):
        compressor = labgate.services.compressor
        try:
            for begun in range(1, number + 1):
                reader, writer = await labgate.connect()
                writer.write(request(FILE, accept(b"zstd")))
                while len(compressor.limit) < begun:  # noqa: ASYNC110
                    await asyncio.sleep(0.005)
                if begun < number:
                    assert await asyncio.to_thread(busy.acquire, timeout=5)
            compressor.close()
            with suppress(ConnectionResetError):
                async with asyncio.timeout(5):
                    assert not (await reader.read()).endswith(ENDS_HERE)
            (record,) = labgate.records
            assert record.outcome == "could not be compressed: no more work is taken"
        finally:
            go_on.set()
            for visit in jupyter.visits:
                visit.writer.close()
        await labgate.services.open_requests.drained()


async def test_without_memory_for_an_encoder_the_content_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(ENCODERS, b"zstd", no_memory)
    async with compressing(says(sized(LARGE))) as (labgate, _):
        answer = await labgate.ask(request(FILE, accept(b"zstd")))
    assert answer.endswith(LARGE)
    assert b"\r\nVary: Accept-Encoding\r\n" in answer, "a cache must ask again for others"


async def test_what_takes_long_is_compressed_in_a_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """The event loop serves others meanwhile; what is small would be slower that way."""
    here, seen = threading.get_ident(), set[tuple[bool, bool]]()

    class Watched(ZstdEncoder):
        def encode(self, data: bytes) -> bytes:
            seen.add((len(data) > THREAD_BYTES, threading.get_ident() != here))
            return super().encode(data)

    monkeypatch.setitem(ENCODERS, b"zstd", Watched)
    async with compressing(says(sized(LARGE))) as (running, _):
        await running.ask(request(FILE, accept(b"zstd")))
    async with compressing(says(sized(LARGE[:THREAD_BYTES]))) as (running, _):
        await running.ask(request(FILE, accept(b"zstd")))
    assert seen == {(True, True), (False, False)}


@pytest.mark.parametrize("content", [LARGE[:THREAD_BYTES], LARGE], ids=["small", "large"])
async def test_an_encoder_ends_with_its_response(content: bytes) -> None:
    """Not at the next garbage collection: in an upload Lab asks again and again for the list."""
    gc.collect()
    gc.disable()
    try:
        async with compressing(says(*[sized(content)] * 3)) as (running, _):
            for _ in range(3):
                await running.ask(request(FILE, accept(b"zstd")))
            # The thread may still hold the last one for a moment.
            while any(isinstance(one, ZstdEncoder) for one in gc.get_objects()):  # noqa: ASYNC110
                await asyncio.sleep(0.005)
    finally:
        gc.enable()


async def test_the_next_request_on_the_connection_gets_its_own_response() -> None:
    answers = says(sized(LARGE), b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    async with compressing(answers) as (running, _):
        asked = request(FILE, accept(b"zstd")).replace(b"Connection: close\r\n", b"")
        answer = await running.ask(asked + request(b"/api"))
    body = answer.partition(b"\r\n\r\n")[2]
    content, _, following = body.partition(ENDS_HERE)
    assert DECODERS[b"zstd"]()(unchunked(content + ENDS_HERE)) == LARGE
    assert following.startswith(b"HTTP/1.1 200 OK")
    assert following.endswith(b"\r\n\r\nok")
    assert [record.outcome for record in running.records] == ["forwarded", "forwarded"]


async def test_the_head_is_the_same_for_head() -> None:
    async with compressing(says(HEAD + b"Content-Length: 99999\r\n\r\n")) as (running, _):
        answer = await running.ask(request(FILE, accept(b"br"), method=b"HEAD"))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Encoding: br" in head
    assert b"Vary: Accept-Encoding" in head
    assert b"content-length" not in head.lower()
    assert body == b""


async def test_who_accepts_nothing_gets_it_as_it_is() -> None:
    async with compressing(says(sized(LARGE))) as (running, _):
        answer = await running.ask(request(FILE))
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Vary: Accept-Encoding" in head
    assert b"Content-Encoding" not in head
    assert body == LARGE


@pytest.mark.both_loops
@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [10, THREAD_BYTES + 1])
async def test_what_comes_slowly_is_sent_at_once(coding: bytes, size: int) -> None:
    """A long poll: each piece can be read before the next one is there."""
    come: asyncio.Queue[bytes] = asyncio.Queue()

    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        while piece := await come.get():
            await visit.say(b"%x\r\n%b\r\n" % (len(piece), piece))
        await visit.say(ENDS_HERE)

    async with compressing(answer) as (running, _):
        reader, writer = await running.connect()
        writer.write(request(FILE, accept(coding)))
        await reader.readuntil(b"\r\n\r\n")
        decode: Callable[[bytes], bytes] = DECODERS[coding]()
        for start in (0, size):
            come.put_nowait(LARGE[start : start + size])
            content = b""
            while len(content) < size:
                length = int(await reader.readuntil(b"\r\n"), 16)
                content += decode(await reader.readexactly(length))
                await reader.readexactly(2)
            assert content == LARGE[start : start + size]
        come.put_nowait(b"")
        assert (await reader.read()).endswith(ENDS_HERE)


async def test_a_client_that_does_not_read_holds_jupyter_back() -> None:
    """What does not shrink fills the client's connection; no more than that is read."""
    sent = 0
    content = random.Random(3).randbytes(30_000_000)
    stalled = asyncio.Event()

    async def answer(visit: Visit) -> None:
        nonlocal sent
        await visit.head()
        await visit.say(HEAD + b"Content-Length: %d\r\n\r\n" % len(content))
        for start in range(0, len(content), 100_000):
            visit.writer.write(content[start : start + 100_000])
            try:
                async with asyncio.timeout(1):
                    await visit.writer.drain()
            except TimeoutError:
                stalled.set()
                await visit.writer.drain()
            sent += 100_000

    async with compressing(answer) as (running, _):
        reader, writer = await running.connect()
        writer.write(request(FILE, accept(b"zstd")))
        await stalled.wait()
        assert sent < len(content) / 2
        encoded = await reader.read()
    body = unchunked(encoded.partition(b"\r\n\r\n")[2])
    assert DECODERS[b"zstd"]()(body) == content


@pytest.mark.parametrize("size", [10, 300_000])
async def test_a_response_that_breaks_off_has_no_end(size: int) -> None:
    answer = says(HEAD + b"Content-Length: 999999\r\n\r\n" + LARGE[:size], close=True)
    async with compressing(answer) as (running, _):
        with suppress(ConnectionResetError):
            assert not (await running.ask(request(FILE, accept(b"zstd")))).endswith(ENDS_HERE)
        await running.recorded.wait()
    assert running.records[0].warning


async def test_a_client_that_leaves_ends_the_work() -> None:
    going = asyncio.Event()

    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(HEAD + b"Content-Length: 9999999\r\n\r\n" + LARGE)
        going.set()
        await visit.reader.read()

    async with compressing(answer) as (running, _):
        _, writer = await running.connect()
        writer.write(request(FILE, accept(b"br")))
        await going.wait()
        writer.transport.abort()
        await running.recorded.wait()
    assert running.records[0].outcome == "the client went away"


CROWDS = [
    pytest.param([f"192.0.2.{number}" for number in range(MAX_CONCURRENT_RESPONSES)], id="in all"),
    pytest.param(["127.0.0.1"] * MAX_CONCURRENT_RESPONSES_PER_ADDRESS, id="of one address"),
]


@pytest.mark.parametrize("clients", CROWDS)
async def test_too_many_at_once_are_not_compressed(clients: list[str]) -> None:
    async with compressing(says(sized(LARGE))) as (running, _):
        slots = [running.services.compressor.limit.acquire(client) for client in clients]
        answer = await running.ask(request(FILE, accept(b"zstd")))
        for slot in slots:
            assert slot is not None
            slot.release()
    assert answer.endswith(LARGE)
    assert b"\r\nVary: Accept-Encoding\r\n" in answer, "a cache must ask again for others"


async def test_changes_of_the_head_are_noted() -> None:
    """For ``--show-headers`` and the inspector."""
    async with compressing(says(sized(LARGE, b'ETag: "a"'))) as (running, _):
        await running.ask(request(FILE, accept(b"br")))
    noted = [change for change in running.records[0].changes_down if change.rule == "compression"]
    assert sorted(noted) == [
        ("compression", b"Accept-Ranges", None, b"none"),
        ("compression", b"Content-Encoding", None, b"br"),
        ("compression", b"Content-Length", b"%d" % len(LARGE), None),
        ("compression", b"ETag", b'"a"', b'W/"a"'),
        ("compression", b"Vary", None, b"Accept-Encoding"),
    ]
