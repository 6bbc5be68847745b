"""aiohttp's server behind labgate's listener: counting, timeouts, draining."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from proxy.net.limits import Limits
from proxy.net.reset import reset
from tests import edges
from tests.edges import enforcing_timeouts, request
from tests.upstreams import OK, Visit, says, upstream
from tests.wire.talk import within
from tests.wire.test_choreography import until_silent
from tests.wire.test_tunnels import HANDSHAKE, echo

edge = partial(edges.edge, server_name="aiohttp")
SECONDS = 15
GET = b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"


async def until(condition: Callable[[], bool]) -> None:
    """It takes some turns of the event loop and no time."""
    while not condition():  # noqa: ASYNC110  nobody could set an event
        await asyncio.sleep(0)


@pytest.mark.both_loops
async def test_a_connection_is_counted_from_its_first_moment_to_the_end_of_its_tunnel() -> None:
    async with within(SECONDS), upstream(echo) as jupyter, edge(jupyter.address) as lab:
        limit = lab.server.connection_limit
        reader, writer = await lab.connect()
        await until(lambda: len(limit) == 1)
        writer.write(HANDSHAKE)
        await reader.readuntil(b"\r\n\r\n")
        assert len(limit) == 1
        assert not lab.server.connections, "it is none of aiohttp's any more"
        writer.close()
        await until(lambda: len(limit) == 0)


async def test_one_connection_too_many_is_reset() -> None:
    async with within(SECONDS), edge(None, limits=Limits(connections=1)) as lab:
        await lab.connect()
        await until(lambda: len(lab.server.connection_limit) == 1)
        reader, _ = await lab.connect()
        with pytest.raises(ConnectionResetError):
            await reader.read()


BEGUN = [b"GET / HT", b"GET / HTTP/1.1\r\nHost: lab.example.org\r\nX-"]


@pytest.mark.parametrize("begun", BEGUN)
async def test_a_head_that_takes_too_long_is_408(begun: bytes) -> None:
    async with (
        within(SECONDS),
        edge(None, limits=Limits(head_seconds=0.1)) as lab,
        enforcing_timeouts(lab),
    ):
        answer = await lab.ask(begun)
        assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_connection_without_a_request_is_closed_without_a_word() -> None:
    """Browsers open some in advance, and would take a 408 for what they ask next."""
    async with (
        within(SECONDS),
        edge(None, limits=Limits(head_seconds=0.1)) as lab,
        enforcing_timeouts(lab),
    ):
        reader, _ = await lab.connect()
        assert await reader.read() == b""


async def test_an_upload_behind_a_request_ends_with_its_client() -> None:
    """What can never be complete is not sent to Jupyter and held there until a limit passes."""

    async def answer(visit: Visit) -> None:
        await visit.head()
        await visit.say(OK)
        await visit.reader.read()

    async with (
        within(SECONDS),
        upstream(answer) as jupyter,
        edge(jupyter.address) as lab,
    ):
        reader, writer = await lab.connect()
        head = b"PUT / HTTP/1.1\r\nHost: lab.example.org\r\nContent-Length: 9\r\n\r\n"
        writer.write(GET + head + b"half")
        writer.write_eof()
        said = await reader.read()
        assert said.count(b"HTTP/1.1 ") == 1
        assert said.endswith(b"\r\n\r\nok")


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    limits = Limits(keep_alive_seconds=0.1)
    async with (
        within(SECONDS),
        upstream(says(OK)) as jupyter,
        edge(jupyter.address, limits=limits) as lab,
        enforcing_timeouts(lab),
    ):
        reader, writer = await lab.connect()
        writer.write(GET)
        assert (await reader.read()).endswith(b"\r\n\r\nok")


async def test_what_the_parser_refuses_names_no_software_and_is_not_quoted() -> None:
    async with within(SECONDS), edge(None) as lab:
        answer = await lab.ask(b"GET / HTTP/1.1\r\nHost: a\r\n<script>: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"\r\nConnection: close\r\n" in answer
        assert not [word for word in (b"script", b"aiohttp", b"Python") if word in answer]


async def test_a_drain_ends_idle_connections_and_lets_uploads_and_responses_finish() -> None:
    async def receive(visit: Visit) -> None:
        await visit.head()
        await visit.exactly(4)
        await visit.say(OK)

    async with within(SECONDS), upstream(receive) as jupyter, edge(jupyter.address) as lab:
        idle, _ = await lab.connect()
        reader, writer = await lab.connect()
        writer.write(b"PUT / HTTP/1.1\r\nHost: lab.example.org\r\nContent-Length: 4\r\n\r\nha")
        await jupyter.arrived.wait()
        lab.server.drain()
        assert await idle.read() == b""
        writer.write(b"lf")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n\r\nok")
    assert jupyter.heads.endswith(b"\r\n\r\nhalf")


async def test_a_drain_keeps_the_word_of_a_head_that_was_sent_before() -> None:
    """It said nothing of an end, so the client may send its next request over the connection."""
    drained = asyncio.Event()

    async def begins(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
        await drained.wait()
        await visit.say(b"more")
        await visit.head()
        await visit.say(OK)

    async with within(SECONDS), upstream(begins) as jupyter, edge(jupyter.address) as lab:
        reader, writer = await lab.connect()
        writer.write(GET)
        head = await reader.readuntil(b"half")
        assert b"close" not in head
        lab.server.drain(keep_idle=True)
        drained.set()
        await reader.readuntil(b"more")
        writer.write(GET)
        answer = await reader.read()
        assert b"\r\nConnection: close\r\n" in answer
        assert answer.endswith(b"\r\n\r\nok")


async def test_a_response_that_a_shutdown_cuts_is_a_truncation() -> None:
    async def begins(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        await visit.reader.read()

    async with within(SECONDS), upstream(begins) as jupyter, edge(jupyter.address) as lab:
        reader, writer = await lab.connect()
        writer.write(request())
        await reader.readuntil(b"half")
        await lab.server.shutdown(0.5)
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_client_that_leaves_is_noticed_at_once() -> None:
    """aiohttp tells no handler; nothing sweeps here."""
    async with within(SECONDS), upstream(until_silent) as jupyter, edge(jupyter.address) as lab:
        _, writer = await lab.connect()
        writer.write(request())
        await jupyter.arrived.wait()
        reset(writer.transport)
        await lab.recorded.wait()
    assert [record.outcome for record in lab.records] == ["the client went away"]
