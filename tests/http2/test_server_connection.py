"""Whole requests over real TLS connections, and how connections end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from time import monotonic

import pytest

from proxy.errors import ClientFault
from proxy.http1 import timeouts
from proxy.http2 import server_connection
from proxy.http2.settings import (
    CONNECTION_WINDOW_BYTES,
    MAX_STREAMS,
    STREAM_WINDOW_BYTES,
    WIDE_WINDOW_BYTES,
)
from proxy.messages import RequestBody, Responder
from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.rules.head import RequestHead
from proxy.short_response import plain
from tests.edges import enforcing_timeouts
from tests.http2 import frames
from tests.http2.raw_client import LIMIT_SECONDS
from tests.http2.secured import SecuredEdge, secured
from tests.upstreams import OK, Visit, says, upstream
from tests.wire.talk import Recorder

POST = (*frames.GET[1:], (b":method", b"POST"))
Answer = Callable[[Visit], Awaitable[None]]


def response(content: bytes, *fields: bytes) -> bytes:
    lines = [b"HTTP/1.1 200 OK", b"Content-Length: %d" % len(content), *fields, b"", content]
    return b"\r\n".join(lines)


async def silent(visit: Visit) -> None:
    await visit.reader.read()


async def sweep(running: SecuredEdge, until: Callable[[], object]) -> None:
    async with asyncio.timeout(LIMIT_SECONDS):
        while not until():
            await running.server.enforce_timeouts()
            await asyncio.sleep(0)


async def test_many_requests_on_one_connection() -> None:
    async def answer(visit: Visit) -> None:
        while True:
            head = await visit.head()
            await visit.say(response(head.split(b" ")[1]))

    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        numbers = range(1, 2 * MAX_STREAMS, 2)
        client.send(*[frames.get(number, b"/%d" % number) for number in numbers])
        for number in numbers:
            found = await client.response(number)
            assert (found.statuses, found.content) == ([200], b"/%d" % number)


async def test_one_stream_too_many_is_refused_and_the_others_go_on() -> None:
    release = asyncio.Event()

    async def answer(visit: Visit) -> None:
        await visit.head()
        await release.wait()
        await visit.say(OK)

    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        numbers = range(1, 2 * MAX_STREAMS + 2, 2)
        client.send(*[frames.get(number) for number in numbers])
        assert (await client.response(numbers[-1])).reset == "REFUSED_STREAM"
        release.set()
        for number in numbers[:-1]:
            assert (await client.response(number)).statuses == [200]


async def test_streams_of_one_address_are_limited() -> None:
    limits = replace(DEFAULT_LIMITS, requests_per_address=3)
    async with (
        upstream(silent) as jupyter,
        secured(jupyter.address, limits=limits) as running,
    ):
        client, other = await running.connect(), await running.connect()
        client.send(frames.get(1), frames.get(3))
        await sweep(running, lambda: len(running.server.stream_limit) == 2)
        other.send(frames.get(1), frames.get(3))
        assert (await other.response(3)).reset == "REFUSED_STREAM"
        client.send(frames.rst_stream(1))
        await sweep(running, lambda: len(running.server.stream_limit) == 2)


async def test_a_health_check_gets_through_where_streams_are_full() -> None:
    limits = replace(DEFAULT_LIMITS, requests_per_address=2)
    async with (
        upstream(silent) as jupyter,
        secured(jupyter.address, limits=limits) as running,
    ):
        client = await running.connect()
        client.send(frames.get(1), frames.get(3))
        await sweep(running, lambda: len(running.server.stream_limit) == 2)
        client.send(frames.get(5, b"/.labgate/health?deep"), frames.get(7))
        assert (await client.response(7)).reset == "REFUSED_STREAM"
        assert (await client.response(5)).statuses != []
        assert len(running.server.own_path_limit) == 0


# Content


@pytest.mark.parametrize("fields", [(), ((b"content-length", b"300000"),)])
async def test_content_arrives_as_it_was_sent(fields: tuple[tuple[bytes, bytes], ...]) -> None:
    content = bytes(range(250)) * 1200
    recorder = Recorder(lambda _: [OK])
    async with upstream(recorder) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.headers(1, (*POST, *fields), end=False))
        for at in range(0, len(content), 10_000):
            await client.until_opened(1, at + 10_000 - STREAM_WINDOW_BYTES)
            client.send(frames.data(1, content[at : at + 10_000], end=at + 10_000 == len(content)))
        assert (await client.response(1)).statuses == [200]
        (record,) = running.edge.records
        assert record.bytes_up == len(content)
    (arrived,) = recorder.requests()
    assert arrived.complete
    assert arrived.content == content


async def test_the_window_stays_closed_while_jupyter_reads_nothing() -> None:
    release = asyncio.Event()

    async def answer(visit: Visit) -> None:
        visit.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await release.wait()
        visit.reader._transport.resume_reading()  # type: ignore[attr-defined]
        await visit.head()
        for _ in range(4000):
            await visit.reader.readexactly(1000)
        await visit.say(OK)

    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.headers(1, (*POST, (b"content-length", b"4000000")), end=False))
        sent = 0
        piece = b"x" * 16_000

        def may_send() -> bool:
            return STREAM_WINDOW_BYTES + client.opened(1) - sent >= len(piece)

        while sent < 4_000_000:
            if not may_send():
                # All that the kernel and labgate would take is on its way: somebody waits.
                await client.pong()
                if not may_send():
                    release.set()
                    await client.until(may_send)
            sent += len(piece)
            client.send(frames.data(1, piece, end=sent == 4_000_000))
            await client.writer.drain()
        assert release.is_set(), "labgate took everything"
        assert (await client.response(1)).statuses == [200]


async def test_who_uploads_gets_a_wide_window_as_long_as_there_are_some() -> None:
    """With the first one an upload would take a round trip for each 256 KiB."""
    bodies: list[RequestBody] = []

    def dispatch(head: RequestHead, body: RequestBody, responder: Responder) -> Unfinished:
        bodies.append(body)
        return Unfinished()

    async with secured(None) as running:
        running.server.dispatch = dispatch
        wide = running.server.wide_window_limit
        wide.change(1, 1)
        client = await running.connect()
        for number in (1, 3, 5):
            client.send(frames.headers(number, POST, end=False), frames.data(number, b"x" * 10))
        client.send(frames.headers(7, POST, end=False), frames.data(7, b"whole", end=True))
        await client.pong()
        assert len(wide) == 0, "nobody has taken anything"
        whole = bodies.pop()
        assert whole.take() == b"whole"
        assert len(wide) == 0, "nothing more comes"
        for body in bodies[:2]:
            assert body.take()
        await client.pong()
        windows = [STREAM_WINDOW_BYTES + client.opened(number) for number in (1, 3, 5)]
        assert windows == [WIDE_WINDOW_BYTES, STREAM_WINDOW_BYTES, STREAM_WINDOW_BYTES]
        client.send(frames.rst_stream(1), frames.data(3, b"more"))
        await client.pong()
        assert bodies[1].take()
        await client.until_opened(3, WIDE_WINDOW_BYTES - STREAM_WINDOW_BYTES)
        client.send(frames.rst_stream(3))
        await client.pong()
        assert len(wide) == 0


async def test_one_upload_of_a_connection_has_a_wide_window() -> None:
    """Two that an upstream stopped to take would leave nothing for uploads to another one."""

    def dispatch(head: RequestHead, body: RequestBody, responder: Responder) -> Unfinished:
        def take() -> None:
            body.take()

        body.when_more(take)
        return Unfinished()

    async with secured(None) as running:
        running.server.dispatch = dispatch
        wide = running.server.wide_window_limit
        client = await running.connect()
        for number in (1, 3):
            client.send(frames.headers(number, POST, end=False))
        await client.pong()
        for number in (1, 3):
            client.send(frames.data(number, b"x" * 10))
        await client.pong()
        assert len(wide) == 1
        client.send(frames.data(1, b"the end", end=True))
        await client.pong()
        assert len(wide) == 0, "nothing more comes, whatever the response takes"
        client.send(frames.data(3, b"more"))
        await client.pong()
        assert len(wide) == 1
        client.send(frames.headers(5, POST, end=False))
        await client.pong()
        client.send(frames.data(3, b"the end", end=True), frames.data(5, b"whole", end=True))
        await client.pong()
        assert len(wide) == 0


async def test_an_early_response_asks_the_client_to_stop() -> None:
    async with upstream(says(OK)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.headers(1, POST, end=False), frames.data(1, b"begin"))
        await client.until(lambda: client.streams.get(1) and client.streams[1].reset)
        assert client.streams[1].statuses == [200]
        assert client.streams[1].content == b"ok"
        assert client.streams[1].ended
        assert client.streams[1].reset == "NO_ERROR"
        # What was on its way is dropped, and the connection goes on.
        client.send(frames.data(1, b"x" * 1000, end=True), frames.get(3, b"/.labgate/health"))
        assert (await client.response(3)).statuses == [200]


async def test_a_client_that_resets_a_request_cancels_it() -> None:
    left = asyncio.Event()

    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.reader.read()
        left.set()

    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.get(1))
        await jupyter.arrived.wait()
        client.send(frames.rst_stream(1))
        await left.wait()
        (record,) = running.edge.records
        assert record.outcome == "the client went away"
        assert len(running.server.stream_limit) == 0


async def test_opened_and_reset_at_once_is_never_a_request() -> None:
    async with upstream(says(OK)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(*[frames.get(one) + frames.rst_stream(one) for one in range(1, 41, 2)])
        client.send(frames.get(101))
        await client.response(101)
        assert len(running.edge.records) == 1


async def test_a_lost_connection_cancels_its_requests() -> None:
    left = asyncio.Event()

    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.reader.read()
        left.set()

    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.get(1))
        await jupyter.arrived.wait()
        await client.close()
        await left.wait()
        await sweep(running, lambda: running.edge.records)
        assert running.edge.records[0].outcome == "the client went away"


# Responses


async def test_an_interim_response_comes_before_the_final_one() -> None:
    release = asyncio.Event()

    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 103 Early Hints\r\nLink: </x.js>; rel=preload\r\n\r\n")
        await release.wait()
        await visit.say(OK)

    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.get(1))
        await client.until(lambda: client.streams.get(1) and client.streams[1].heads)
        assert client.streams[1].heads == [
            [(b":status", b"103"), (b"link", b"</x.js>; rel=preload")]
        ]
        release.set()
        found = await client.response(1)
        assert found.statuses == [103, 200]
        assert found.content == b"ok"


class Unfinished:
    def cancel(self) -> None:
        pass


async def test_a_fault_behind_an_interim_response_is_told(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("CRITICAL", "labgate")

    def dispatch(head: RequestHead, body: RequestBody, responder: Responder) -> Unfinished:
        responder.send_interim(100, b"Continue", [])
        responder.fail(RuntimeError("on purpose"), plain(500, "failed"))
        return Unfinished()

    async with secured(None) as running:
        running.server.dispatch = dispatch
        client = await running.connect()
        client.send(frames.headers(1, POST, end=False))
        assert (await client.response(1)).statuses == [100, 500]


async def test_an_interim_response_needs_nothing_behind_it() -> None:
    """As Early Hints that labgate knows before it has asked Jupyter."""

    def dispatch(head: RequestHead, body: RequestBody, responder: Responder) -> Unfinished:
        asyncio.get_running_loop().call_soon(
            responder.send_interim, 103, b"Early Hints", [(b"Link", b"</x.js>; rel=preload")]
        )
        return Unfinished()

    async with secured(None) as running:
        running.server.dispatch = dispatch
        client = await running.connect()
        client.send(frames.get(1))
        await client.until_begun(1)
        assert client.streams[1].statuses == [103]


async def test_a_large_response_waits_for_the_clients_windows() -> None:
    content = bytes(range(256)) * 4096

    async with (
        upstream(says(response(content))) as jupyter,
        secured(jupyter.address) as running,
    ):
        client = await running.connect_silently()
        client.send(frames.PREFACE, frames.settings((4, 70_000)), frames.get(1))
        await client.until(lambda: len(client.streams.get(1, Nothing).content) == 65_535)
        # The connection's window is the smaller one.
        client.send(frames.window_update(0, 2**30))
        await client.pong()
        assert len(client.streams[1].content) == 70_000
        client.send(frames.window_update(1, 2**30))
        assert (await client.response(1)).content == content
        (record,) = running.edge.records
        assert record.bytes_down == len(content)


class Nothing:
    content = b""


async def test_a_response_that_breaks_off_is_reset() -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    async with (
        upstream(says(half, close=True)) as jupyter,
        secured(jupyter.address) as running,
    ):
        client = await running.connect()
        client.send(frames.get(1))
        found = await client.response(1)
        assert not found.ended
        assert found.reset == "INTERNAL_ERROR"
        client.send(frames.get(3, b"/.labgate/health"))
        assert (await client.response(3)).statuses == [200]


HEADS = [
    pytest.param(b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", 200, id="HEAD"),
    pytest.param(b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", 204, id="204"),
    pytest.param(b"GET", b"HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n", 304, id="304"),
    pytest.param(b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, id="empty"),
]


@pytest.mark.parametrize(("method", "said", "status"), HEADS)
async def test_a_response_without_content_is_one_frame(
    method: bytes, said: bytes, status: int
) -> None:
    async with upstream(says(said)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.headers(1, ((b":method", method), *frames.GET[1:])))
        found = await client.response(1)
        assert found.statuses == [status]
        assert client.count(frames.DATA) == 0
        assert b"date" in found.fields


async def test_fields_are_in_lower_case_and_say_nothing_of_a_connection() -> None:
    said = (
        b"HTTP/1.1 200 OK\r\nX-UPPER: a\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\n"
        b"Set-Cookie: a=b\r\nSet-Cookie: c=d\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"2\r\nok\r\n0\r\n\r\n"
    )
    async with upstream(says(said)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.get(1))
        found = await client.response(1)
    names = [name for name, _ in found.heads[-1]]
    assert names == [b":status", b"x-upper", b"set-cookie", b"set-cookie", b"date"]
    assert found.content == b"ok"


async def test_cookies_stay_out_of_the_table_of_fields() -> None:
    said = b"HTTP/1.1 200 OK\r\nSet-Cookie: secret=1\r\nX-A: b\r\nContent-Length: 0\r\n\r\n"
    async with upstream(says(said)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.get(1))
        await client.response(1)
        table = [bytes(name) for name, _ in client._decoder.header_table.dynamic_entries]
    assert b"x-a" in table
    assert b"set-cookie" not in table


# The end


async def test_a_drain_finishes_what_is_open_and_refuses_the_rest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(timeouts, "LINGER_SECONDS", 0.05)
    release = asyncio.Event()

    async def answer(visit: Visit) -> None:
        await visit.head()
        await release.wait()
        await visit.say(OK)

    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client, idle = await running.connect(), await running.connect()
        client.send(frames.get(1))
        idle.send(frames.get(1, b"/.labgate/health"))
        await idle.response(1)
        await jupyter.arrived.wait()
        running.server.drain()
        await client.until(lambda: client.goaway)
        assert client.goaway == "NO_ERROR"
        client.send(frames.get(3))
        assert (await client.response(3)).reset == "REFUSED_STREAM"
        release.set()
        found = await client.response(1)
        assert (found.statuses, found.content) == ([200], b"ok")
        await idle.until(lambda: idle.goaway)
        await sweep(running, lambda: client.closed and idle.closed)
        await sweep(running, lambda: not running.server.connections)


async def test_a_connection_whose_handshake_ends_after_the_drain_is_told_to_go() -> None:
    async with secured(None) as running:
        running.server.drain()
        client = await running.connect()
        await client.until(lambda: client.goaway)
        assert client.goaway == "NO_ERROR"


async def test_a_client_that_says_goodbye_gets_what_it_has_asked_for() -> None:
    """RFC 9113 section 6.8; with an error it gets nothing more."""
    release = asyncio.Event()

    async def answer(visit: Visit) -> None:
        await visit.head()
        await release.wait()
        await visit.say(OK)

    async with upstream(answer) as jupyter, secured(jupyter.address) as running:
        client, angry = await running.connect(), await running.connect()
        client.send(frames.get(1), frames.goaway())
        angry.send(frames.get(1), frames.goaway("PROTOCOL_ERROR"))
        await client.pong()
        await angry.until(lambda: angry.closed)
        client.send(frames.get(3))
        assert (await client.response(3)).reset == "REFUSED_STREAM"
        release.set()
        assert (await client.response(1)).statuses == [200]


async def test_a_shutdown_truncates_what_is_left() -> None:
    async with (
        upstream(silent) as jupyter,
        secured(jupyter.address) as running,
    ):
        client = await running.connect()
        client.send(frames.get(1))
        await jupyter.arrived.wait()
        running.server.drain()
        await running.server.shutdown(timeout=0.5)
        await client.until(lambda: client.closed)
        assert 1 not in client.streams or not client.streams[1].ended


SILENT = [
    pytest.param(b"", "head_seconds", id="not even a preface"),
    pytest.param(frames.PREFACE + frames.settings(), "head_seconds", id="no request"),
    pytest.param(
        frames.PREFACE + frames.settings() + frames.frame(1, 0, 1, b"\x82"),
        "head_seconds",
        id="half a head",
    ),
    pytest.param(
        frames.PREFACE + frames.settings() + frames.get(1, b"/.labgate/health"),
        "keep_alive_seconds",
        id="idle",
    ),
]


@pytest.mark.parametrize(("sent", "limit"), SILENT)
async def test_a_silent_client_is_told_to_go(
    sent: bytes, limit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(timeouts, "LINGER_SECONDS", 0.05)
    seconds = {"head_seconds": 1000.0, "keep_alive_seconds": 1000.0, limit: 0.05}
    limits = Limits(**seconds)  # type: ignore[arg-type]
    async with secured(None, limits=limits) as running:
        client = await running.connect_silently()
        # Not by ``send``: an acknowledgement would follow, and break into the head.
        client.writer.write(sent)
        await sweep(running, lambda: client.goaway)
        assert client.goaway == "NO_ERROR"
        await sweep(running, lambda: client.closed)


async def test_half_a_head_is_not_waited_for_beside_other_requests() -> None:
    limits = replace(DEFAULT_LIMITS, head_seconds=0.05)
    async with (
        upstream(silent) as jupyter,
        secured(jupyter.address, limits=limits) as running,
    ):
        client = await running.connect()
        client.send(frames.get(1))
        await jupyter.arrived.wait()
        client.send(frames.frame(1, 0, 3, b"\x82"))
        await sweep(running, lambda: client.goaway)


async def test_content_that_comes_too_slowly_is_refused() -> None:
    limits = replace(DEFAULT_LIMITS, content_grace_seconds=0.05)
    async with (
        upstream(silent) as jupyter,
        secured(jupyter.address, limits=limits) as running,
        enforcing_timeouts(running.edge),
    ):
        client = await running.connect()
        client.send(frames.headers(1, POST, end=False), frames.data(1, b"x"))
        await sweep(running, lambda: client.ended(1))
        assert client.streams[1].statuses == [408]


async def test_content_for_which_there_is_no_window_is_not_slow() -> None:
    """Content that no upstream takes has used up the connection's window."""
    limits = replace(DEFAULT_LIMITS, content_grace_seconds=0.05)
    bodies: list[RequestBody] = []

    def dispatch(head: RequestHead, body: RequestBody, responder: Responder) -> Unfinished:
        bodies.append(body)
        return Unfinished()

    async with secured(None, limits=limits) as running:
        running.server.dispatch = dispatch
        client = await running.connect()
        number = 1
        for _ in range(0, CONNECTION_WINDOW_BYTES, STREAM_WINDOW_BYTES):
            client.send(frames.headers(number, POST, end=False))
            for _ in range(0, STREAM_WINDOW_BYTES, 16_384):
                client.send(frames.data(number, b"x" * 16_384))
            number += 2
        client.send(frames.headers(number, POST, end=False))
        await client.pong()
        *taken_later, body = bodies
        assert body.take() is None, "labgate waits for the client from now on"
        passed = monotonic() + 0.1
        await sweep(running, lambda: monotonic() > passed)
        assert body.take() is None
        for one in taken_later:
            assert one.take()
        faults: list[ClientFault] = []

        def refused() -> bool:
            try:
                assert body.take() is None
            except ClientFault as fault:
                faults.append(fault)
            return bool(faults)

        await sweep(running, refused)
        assert faults[0].status == 408


async def test_a_response_that_nobody_takes_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_connection, "UNREAD_SECONDS", 0.05)
    async with (
        upstream(says(response(b"x" * 100))) as jupyter,
        secured(jupyter.address) as running,
    ):
        client = await running.connect_silently()
        client.send(frames.PREFACE, frames.settings((4, 10)), frames.get(1))
        await client.until(lambda: client.streams.get(1) and client.streams[1].content)
        await sweep(running, lambda: client.ended(1))
        assert client.streams[1].reset == "CANCEL"
        assert len(running.server.stream_limit) == 0
        client.send(frames.get(3, b"/nowhere"))


async def test_the_inspector_shows_what_it_shows_of_http_1_1() -> None:
    recorder = Recorder(lambda _: [OK])
    async with upstream(recorder) as jupyter, secured(jupyter.address) as running:
        running.edge.inspect()
        client = await running.connect()
        client.send(frames.headers(1, (*POST, (b"x-a", b"b")), end=False))
        client.send(frames.data(1, b"content", end=True))
        assert (await client.response(1)).content == b"ok"
        await sweep(running, lambda: len(running.edge.captured))
        (exchange,) = running.edge.captured
    assert exchange.received.line == "POST / HTTP/2.0"
    assert exchange.received.value("x-a") == "b"
    assert exchange.sent_up is not None
    assert exchange.sent_up.line == "POST / HTTP/1.1"
    assert exchange.sent_up.value("x-a") == "b"
    assert (exchange.bytes_up, exchange.bytes_down) == (len(b"content"), len(b"ok"))
    assert exchange.content_up is not None
    assert exchange.times.tls is not None
