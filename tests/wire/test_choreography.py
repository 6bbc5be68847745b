"""Rows that are a conversation: what is judged here is who says what, and when."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from proxy.net.limits import Limits
from proxy.net.upstream_address import UpstreamAddress
from tests.edges import edge, enforcing_timeouts, request
from tests.upstreams import OK, Visit, upstream
from tests.wire.talk import Client, Recorder, within

GET = b"GET /%b HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: lab.example.org\r\nContent-Length: %d\r\n\r\n"
EXPECTING = (
    b"POST / HTTP/1.1\r\nHost: lab.example.org\r\nConnection: close\r\n"
    b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n"
)


async def until_lost(visit: Visit) -> bytes:
    """Everything until labgate hangs up, in whatever way."""
    data = b""
    try:
        while piece := await visit.reader.read(65536):
            data += piece
    except ConnectionError:
        pass
    visit.received += data
    return data


# Row 35


async def test_35_continue_is_jupyters_to_say(seconds: float) -> None:
    asked = asyncio.Event()

    async def careful(visit: Visit) -> None:
        await visit.head()
        asked.set()
        await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await visit.exactly(4)
        await visit.say(OK)

    async with within(seconds), upstream(careful) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(EXPECTING)
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert asked.is_set()
        writer.write(b"body")
        assert (await reader.read()).endswith(b"\r\n\r\nok")
    assert jupyter.heads.endswith(b"\r\n\r\nbody")


async def test_35_a_refusal_instead_of_continue_needs_no_content(seconds: float) -> None:
    async def refusing(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
        await until_lost(visit)

    async with within(seconds), upstream(refusing) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(EXPECTING)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 413 ")
    assert jupyter.heads.endswith(b"\r\n\r\n")


async def test_35_a_client_that_does_not_wait_is_served(seconds: float) -> None:
    async def silent(visit: Visit) -> None:
        await visit.head()
        await visit.exactly(4)
        await visit.say(OK)

    async with within(seconds), upstream(silent) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(EXPECTING)
        await jupyter.arrived.wait()
        writer.write(b"body")
        assert (await reader.read()).endswith(b"\r\n\r\nok")


async def test_35_our_own_refusal_does_not_wait_for_content(seconds: float) -> None:
    async with within(seconds), upstream(until_silent) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(EXPECTING.replace(b"Expect", b"Origin: https://evil.example\r\nExpect"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
    assert jupyter.visits == []


async def until_silent(visit: Visit) -> None:
    await until_lost(visit)


# Row 36


async def test_36_interim_responses_without_end_are_502_and_bounded(seconds: float) -> None:
    async def chatty(visit: Visit) -> None:
        await visit.head()
        while True:
            await visit.say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100)

    async with within(seconds), upstream(chatty) as jupyter, edge(jupyter.address) as labgate:
        answer = await labgate.ask(request())
    assert b"HTTP/1.1 502 " in answer
    assert len(answer) < 1_000_000


# Row 39


async def test_39_an_early_answer_survives_the_upload(seconds: float) -> None:
    """RFC 9112 section 9.6: lingering close, so that no reset takes the answer away.

    A Jupyter that hangs up at once is in ``tests/http1/test_client_connection.py``.
    """

    async def too_much(visit: Visit) -> None:
        await visit.head()
        await visit.say(
            b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nbig"
        )
        await until_lost(visit)

    async with within(seconds), upstream(too_much) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(PUT % 4_000_000)
        for _ in range(64):
            writer.write(b"x" * 62_500)
            await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 413 ")
        assert await reader.readexactly(3) == b"big"
        # The whole upload was taken, so the connection still tells requests apart.
        writer.write(request(b"/.labgate/health"))
        assert b"HTTP/1.1 200 " in await reader.read()


# Row 40


async def cut_in_the_head(writer: asyncio.StreamWriter) -> None:
    writer.write(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\nX-")


async def cut_in_the_length(writer: asyncio.StreamWriter) -> None:
    writer.write(PUT % 100 + b"half")


async def cut_in_a_chunk(writer: asyncio.StreamWriter) -> None:
    writer.write(
        (PUT % 1).replace(b"Content-Length: 1", b"Transfer-Encoding: chunked") + b"a\r\nhal"
    )


async def cut_before_the_last_chunk(writer: asyncio.StreamWriter) -> None:
    writer.write(
        (PUT % 1).replace(b"Content-Length: 1", b"Transfer-Encoding: chunked") + b"4\r\nhalf\r\n"
    )


async def cut_before_the_last_line(writer: asyncio.StreamWriter) -> None:
    writer.write(
        (PUT % 1).replace(b"Content-Length: 1", b"Transfer-Encoding: chunked")
        + b"4\r\nhalf\r\n0\r\n"
    )


CUTS = [
    cut_in_the_head,
    cut_in_the_length,
    cut_in_a_chunk,
    cut_before_the_last_chunk,
    cut_before_the_last_line,
]


@pytest.mark.parametrize("how", ["fin", "rst"])
@pytest.mark.parametrize("cut", CUTS, ids=[cut.__name__ for cut in CUTS])
async def test_40_a_truncated_request_never_completes(
    seconds: float, cut: Callable[[asyncio.StreamWriter], Awaitable[None]], how: str
) -> None:
    """RFC 9112 section 8; and the connection to Jupyter does not stay."""
    recorder = Recorder(lambda _: [OK])
    async with (
        within(seconds, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        await cut(writer)
        if cut is not cut_in_the_head:
            await jupyter.arrived.wait()
        if how == "fin":
            writer.write_eof()
            answer = await reader.read()
            assert answer == b"" or answer.startswith(b"HTTP/1.1 400 ")
        else:
            writer.transport.abort()
        for ended in recorder.ended:
            await ended.wait()
    assert [one for one in recorder.requests() if one.complete] == []


# Row 42


async def stale(visit: Visit) -> None:
    """Answers once, then takes a request and closes without a word."""
    await visit.head()
    await visit.say(OK)
    await visit.head()


IDEMPOTENT = [b"GET", b"HEAD", b"OPTIONS", b"PUT", b"DELETE"]


@pytest.mark.parametrize("method", IDEMPOTENT)
async def test_42_a_stale_connection_is_replaced(seconds: float, method: bytes) -> None:
    async with within(seconds), upstream(stale) as jupyter, edge(jupyter.address) as labgate:
        assert b" 200 OK" in await labgate.ask(request())
        assert b" 200 OK" in await labgate.ask(request(method=method))
    assert len(jupyter.visits) == 2
    assert jupyter.visits[0].received.count(method + b" / HTTP/1.1\r\n") == 1 + (method == b"GET")
    assert jupyter.visits[1].received.count(b" / HTTP/1.1\r\n") == 1


NOT_REPEATED = [
    pytest.param(request(method=b"POST"), id="POST"),
    pytest.param(request(method=b"PATCH"), id="PATCH"),
    pytest.param(
        request(b"/", b"Content-Length: 1", method=b"PUT", content=b"x"), id="PUT with content"
    ),
    pytest.param(
        request(b"/", b"Transfer-Encoding: chunked", method=b"PUT", content=b"1\r\nx\r\n0\r\n\r\n"),
        id="PUT with chunks",
    ),
]


@pytest.mark.parametrize("data", NOT_REPEATED)
async def test_42_nothing_else_is_sent_twice(seconds: float, data: bytes) -> None:
    async with within(seconds), upstream(stale) as jupyter, edge(jupyter.address) as labgate:
        await labgate.ask(request())
        assert (await labgate.ask(data)).startswith(b"HTTP/1.1 503 ")
    assert len(jupyter.visits) == 1


async def test_42_a_fresh_connection_is_not_replaced(seconds: float) -> None:
    async def mute(visit: Visit) -> None:
        await visit.head()

    async with within(seconds), upstream(mute) as jupyter, edge(jupyter.address) as labgate:
        assert (await labgate.ask(request())).startswith(b"HTTP/1.1 503 ")
    assert len(jupyter.visits) == 1


BEGUN = [
    pytest.param(b"HTTP/1.1 2", id="half a head"),
    pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n", id="an interim answer"),
]


@pytest.mark.parametrize("data", BEGUN)
async def test_42_an_answer_that_began_is_not_asked_for_again(seconds: float, data: bytes) -> None:
    async def begins(visit: Visit) -> None:
        await visit.head()
        await visit.say(OK)
        await visit.head()
        await visit.say(data)

    async with within(seconds), upstream(begins) as jupyter, edge(jupyter.address) as labgate:
        await labgate.ask(request())
        assert b"HTTP/1.1 502 " in await labgate.ask(request())
    assert len(jupyter.visits) == 1


# Row 43


async def test_43_pipelined_requests_are_answered_in_order_and_one_at_a_time(
    seconds: float,
) -> None:
    under_way = most = 0

    async def echo(visit: Visit) -> None:
        nonlocal under_way, most
        while head := await visit.head():
            under_way += 1
            most = max(most, under_way)
            target = head.split(b" ")[1]
            await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(target))
            under_way -= 1
            await visit.say(target)

    async with within(seconds), upstream(echo) as jupyter, edge(jupyter.address) as labgate:
        client = await Client.to(labgate, *[b"GET"] * 101)
        client.writer.write(b"".join(GET % b"%d" % n for n in range(100)) + request(b"/end"))
        await client.until_end()
        assert [one.content for one in client.responses()] == [
            *(b"/%d" % n for n in range(100)),
            b"/end",
        ]
    assert most == 1


@pytest.mark.own_protocol("aiohttp drops what its parser read in front of the fault")
async def test_43_what_follows_a_faulty_request_is_not_read(seconds: float) -> None:
    recorder = Recorder(lambda _: [OK])
    async with (
        within(seconds, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        answer = await labgate.ask(GET % b"1" + b"GET / HTTP/1.1\r\n: x\r\n\r\n" + GET % b"2")
    assert answer.count(b"HTTP/1.1 200 ") == answer.count(b"HTTP/1.1 400 ") == 1
    assert len(recorder.requests()) == 1


# Row 44


@pytest.mark.own_server("aiohttp closes the connection of a client that half-closes")
async def test_44_a_client_that_half_closes_gets_its_answer(seconds: float) -> None:
    may_answer = asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.head()
        await may_answer.wait()
        await visit.say(OK)

    async with within(seconds), upstream(slow) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(GET % b"")
        writer.write_eof()
        await jupyter.arrived.wait()
        may_answer.set()
        assert (await reader.read()).endswith(b"\r\n\r\nok")


@pytest.mark.own_server("aiohttp closes the connection of a client that half-closes")
async def test_44_the_connection_ends_with_that_answer(seconds: float) -> None:
    """Nothing can follow a FIN: an answer that stays open would hang such a client."""
    recorder = Recorder(lambda _: [OK])
    async with (
        within(seconds, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(GET % b"1" + GET % b"2")
        writer.write_eof()
        assert (await reader.read()).count(b"HTTP/1.1 200 ") == 2


# Row 49


async def test_49_not_reachable_is_503(seconds: float) -> None:
    async with within(seconds), edge(UpstreamAddress("127.0.0.1", 1)) as labgate:
        answer = await labgate.ask(request())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in answer


async def test_49_not_ready_is_503(seconds: float) -> None:
    async with within(seconds), edge(None) as labgate:
        answer = await labgate.ask(request())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: " in answer


async def test_49_an_upload_to_nobody_is_503_at_once(seconds: float) -> None:
    async with within(seconds), edge(UpstreamAddress("127.0.0.1", 1)) as labgate:
        reader, writer = await labgate.connect()
        writer.write(PUT % 1_000_000 + b"x" * 10)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 503 ")


async def test_49_content_that_is_garbage_is_not_a_slow_client(seconds: float) -> None:
    """Chunks that go wrong after Jupyter has the head: refused now, not by the pace limit."""
    recorder = Recorder(lambda _: [OK])
    async with (
        within(seconds, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address, limits=Limits(content_grace_seconds=3600)) as labgate,
        enforcing_timeouts(labgate),
    ):
        reader, writer = await labgate.connect()
        writer.write((PUT % 1).replace(b"Content-Length: 1", b"Transfer-Encoding: chunked"))
        await jupyter.arrived.wait()
        writer.write(b"zz\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        await recorder.ended[0].wait()
    assert [one for one in recorder.requests() if one.complete] == []
