"""The proxy as an aiohttp handler: on labgate's own listener, and in somebody else's server."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol

from proxy.errors import ClientFault
from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.net.reset import reset
from proxy.rules.head import Arrival, FieldSection, RequestHead
from proxy.rules.message import NOTHING_FOLLOWS
from proxy.rules.site import make_site
from proxy.web.front.content_receiver import ContentReceiver
from proxy.web.front.head_reader import ReadHead
from tests import edges, fronts
from tests.edges import PUBLIC, Edge, enforcing_timeouts, request
from tests.heads import JUPYTER
from tests.upstreams import OK, Visit, says, upstream
from tests.wire.talk import within
from tests.wire.test_choreography import until_silent
from tests.wire.test_tunnels import ACCEPTED, HANDSHAKE, echo

NewEdge = Callable[..., Any]
SECONDS = 15


@pytest.fixture(params=["aiohttp", "mounted"])
def edge(request: pytest.FixtureRequest) -> NewEdge:
    return partial(edges.edge, server_name=request.param)


async def open_tunnel(
    labgate: Edge, early: bytes = b""
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await labgate.connect()
    writer.write(HANDSHAKE + early)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


# Tunnels


@pytest.mark.both_loops
async def test_aiohttp_writes_no_response_of_its_own_into_a_tunnel(edge: NewEdge) -> None:
    async def short(visit: Visit) -> None:
        await visit.head()
        await visit.say(ACCEPTED)
        await visit.say(await visit.exactly(4))

    async with within(SECONDS), upstream(short) as jupyter, edge(jupyter.address) as lab:
        reader, writer = await open_tunnel(lab)
        for _ in range(10):
            # Whatever aiohttp does behind the handler, it has done it then.
            await asyncio.sleep(0)
        writer.write(b"ping")
        assert await reader.read() == b"ping"


async def test_a_client_that_leaves_before_the_101_leaves_nothing_at_jupyter(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """aiohttp tells nobody; labgate looks only twice a second."""
    gone, ended = asyncio.Event(), asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.head()
        await gone.wait()
        try:
            await visit.say(ACCEPTED)
            await visit.reader.read()
        finally:
            ended.set()

    async with (
        within(SECONDS),
        upstream(slow) as jupyter,
        edges.edge(jupyter.address, server_name="mounted") as lab,
    ):
        _, writer = await lab.connect()
        writer.write(HANDSHAKE)
        await jupyter.arrived.wait()
        reset(writer.transport)
        server = cast(fronts.Mounted, lab.server)
        while server.connected:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0)
        gone.set()
        await ended.wait()
        await lab.recorded.wait()
    (record,) = lab.records
    assert record.outcome == "the client went away"
    assert not [one for one in caplog.records if one.levelno >= logging.WARNING]


async def test_frames_behind_the_handshake_are_no_request(edge: NewEdge) -> None:
    frames = request(b"/smuggled")
    async with within(SECONDS), upstream(echo) as jupyter, edge(jupyter.address) as lab:
        reader, _ = await open_tunnel(lab, frames)
        assert await reader.readexactly(len(frames)) == frames
    (visit,) = jupyter.visits
    assert visit.received.endswith(b"\r\n\r\n" + frames)


async def test_many_frames_before_jupyter_answers_lose_nothing(edge: NewEdge) -> None:
    """aiohttp stops reading when what it keeps for the next protocol is too much."""
    frames = bytes(range(256)) * 4096
    asked = asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.head()
        await asked.wait()
        await visit.say(ACCEPTED)
        await visit.say(await visit.exactly(len(frames)))

    async with within(SECONDS), upstream(slow) as jupyter, edge(jupyter.address) as lab:
        reader, writer = await lab.connect()
        writer.write(HANDSHAKE + frames)
        await jupyter.arrived.wait()
        asked.set()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert await reader.readexactly(len(frames)) == frames


async def test_a_tunnel_keeps_neither_a_task_nor_a_request_of_aiohttps(edge: NewEdge) -> None:
    async with within(SECONDS), upstream(echo) as jupyter, edge(jupyter.address) as lab:
        before = asyncio.all_tasks()
        await open_tunnel(lab)
        while left := [
            task for task in asyncio.all_tasks() - before if "RequestHandler" in repr(task)
        ]:
            await asyncio.wait(left)


# Content


@pytest.mark.parametrize("framing", ["length", "chunked"])
async def test_content_stays_compressed_as_its_fields_say(edge: NewEdge, framing: str) -> None:
    content = gzip.compress(b"a notebook" * 1000)
    framed = content
    field = b"Content-Length: %d" % len(content)
    if framing == "chunked":
        field, framed = (
            b"Transfer-Encoding: chunked",
            b"%x\r\n%b\r\n0\r\n\r\n" % (len(content), content),
        )

    async def receive(visit: Visit) -> None:
        await visit.head()
        await visit.exactly(len(framed))
        await visit.say(OK)

    async with within(SECONDS), upstream(receive) as jupyter, edge(jupyter.address) as lab:
        fields = (b"Content-Encoding: gzip", field)
        answer = await lab.ask(request(b"/x", *fields, method=b"PUT", content=framed))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert jupyter.heads.endswith(b"\r\n\r\n" + framed)
        assert b"\r\nContent-Encoding: gzip\r\n" in jupyter.heads


async def test_a_server_that_decompresses_content_gets_none_forwarded(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What goes up would be neither what Content-Encoding says nor as long as Content-Length."""

    monkeypatch.setitem(fronts.FRONTS, "careless", partial(fronts.Mounted, options={}))
    caplog.set_level("INFO", "labgate")
    content = gzip.compress(b"a notebook" * 1000)
    fields = (b"Content-Encoding: gzip", b"Content-Length: %d" % len(content))
    async with (
        within(SECONDS),
        upstream(says(OK)) as jupyter,
        edges.edge(jupyter.address, server_name="careless") as lab,
    ):
        answer = await lab.ask(request(b"/x", *fields, method=b"PUT", content=content))
        assert answer.startswith(b"HTTP/1.1 415 ")
        assert b"\r\nAccept-Encoding: identity\r\n" in answer
        assert jupyter.visits == []
        assert "proxy.mount.server_options()" in caplog.text
        assert (await lab.ask(request())).startswith(b"HTTP/1.1 200 ")


async def test_an_upload_may_be_larger_than_aiohttps_client_max_size(edge: NewEdge) -> None:
    content = bytes(range(256)) * (20 * 1024)

    async def receive(visit: Visit) -> None:
        await visit.head()
        await visit.exactly(len(content))
        await visit.say(OK)

    async with within(SECONDS), upstream(receive) as jupyter, edge(jupyter.address) as lab:
        length = b"Content-Length: %d" % len(content)
        answer = await lab.ask(request(b"/x", length, method=b"PUT", content=content))
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert jupyter.heads.endswith(content)


EMPTY = [
    pytest.param(b"Content-Length: 0", b"", id="length"),
    pytest.param(b"Transfer-Encoding: chunked", b"0\r\n\r\n", id="chunked"),
]


@pytest.mark.parametrize(("field", "content"), EMPTY)
async def test_no_content_stays_none(edge: NewEdge, field: bytes, content: bytes) -> None:
    async with (
        within(SECONDS),
        upstream(says(OK)) as jupyter,
        edge(jupyter.address) as lab,
    ):
        answer = await lab.ask(request(b"/x", field, method=b"POST", content=content))
        assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"\r\n" + field + b"\r\n" in jupyter.heads


async def test_a_slow_jupyter_stops_an_upload(edge: NewEdge) -> None:
    """What waits is bounded, wherever the client's other octets are."""
    may_read = asyncio.Event()
    content = bytes(64 * 1024 * 1024)

    async def slow(visit: Visit) -> None:
        await visit.head()
        await may_read.wait()
        for _ in range(64):
            await visit.reader.readexactly(1024 * 1024)
        await visit.say(OK)

    async with within(60), upstream(slow) as jupyter, edge(jupyter.address) as lab:
        reader, writer = await lab.connect()
        length = b"Content-Length: %d" % len(content)
        writer.write(request(b"/x", length, method=b"PUT", content=content))
        await jupyter.arrived.wait()
        waiting = -1
        while waiting != (left := writer.transport.get_write_buffer_size()):
            waiting = left
            await asyncio.sleep(0.1)
        # What labgate does not read may still wait in the kernel: up to 18 MiB were seen.
        assert waiting > 24 * 1024 * 1024
        may_read.set()
        assert (await reader.read()).startswith(b"HTTP/1.1 200 ")


async def test_a_client_that_leaves_in_the_middle_of_an_upload_frees_jupyter(edge: NewEdge) -> None:
    ended = asyncio.Event()

    async def waits(visit: Visit) -> None:
        await visit.head()
        try:
            await visit.exactly(100)
        finally:
            ended.set()

    async with within(SECONDS), upstream(waits) as jupyter, edge(jupyter.address) as lab:
        _, writer = await lab.connect()
        writer.write(request(b"/x", b"Content-Length: 100", method=b"PUT", content=b"half"))
        await jupyter.arrived.wait()
        writer.transport.abort()
        await ended.wait()
        await lab.recorded.wait()
    (record,) = lab.records
    assert record.outcome == "the client went away"


async def test_content_that_ends_before_its_length_is_not_complete() -> None:
    """RFC 9112 section 8; aiohttp's parser should not let it happen."""
    section = FieldSection(((b"Content-Length", b"5"),))
    head = RequestHead(b"PUT", b"/", (1, 1), section.fields, Arrival("::1"), section)
    loop = asyncio.get_running_loop()
    content = StreamReader(BaseProtocol(loop), 2**16, loop=loop)
    content.feed_data(b"half")
    content.feed_eof()
    receiver = ContentReceiver(content, ReadHead(head, NOTHING_FOLLOWS), DEFAULT_LIMITS)
    with pytest.raises(ClientFault):
        receiver.body.take()


async def test_malformed_chunks_are_refused(edge: NewEdge) -> None:
    """aiohttp does not tell who waits for them."""
    limits = Limits(content_grace_seconds=3600)
    async with (
        within(SECONDS),
        upstream(until_silent) as jupyter,
        edge(jupyter.address, limits=limits) as lab,
        enforcing_timeouts(lab),
    ):
        reader, writer = await lab.connect()
        writer.write(request(b"/x", b"Transfer-Encoding: chunked", method=b"PUT"))
        await jupyter.arrived.wait()
        writer.write(b"5\r\nhello\r\nzz\r\n")
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"\r\n\r\n") == 1
    assert b"0\r\n\r\n" not in jupyter.heads


# Heads


async def test_the_content_of_a_connect_is_no_request(edge: NewEdge) -> None:
    """aiohttp's router knows no such target, and would read on behind its 404."""
    async with within(SECONDS), upstream(says(OK)) as jupyter, edge(jupyter.address) as lab:
        smuggled = request(b"/smuggled")
        length = b"Content-Length: %d" % len(smuggled)
        answer = await lab.ask(request(b"lab:443", length, method=b"CONNECT", content=smuggled))
        assert answer.startswith(b"HTTP/1.1 405 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert jupyter.visits == []
        answer = await lab.ask(request(b"*", method=b"OPTIONS"))
        assert answer.startswith(b"HTTP/1.1 200 ")
    assert jupyter.heads.startswith(b"OPTIONS * HTTP/1.1")


TARGETS = [
    b"/a%2Fb/%7e/%zz",
    b"/x?",
    b"//lab.example.org/x",
    b"/x/../y/./z//",
    b"/?q=a+b%20c&d",
    b'/|{}^`"<>\\[]',
]


@pytest.mark.parametrize("target", TARGETS)
async def test_the_target_goes_up_byte_for_byte(edge: NewEdge, target: bytes) -> None:
    async with (
        within(SECONDS),
        upstream(says(OK)) as jupyter,
        edge(jupyter.address) as lab,
    ):
        await lab.ask(request(target))
    assert jupyter.heads.startswith(b"GET " + target + b" HTTP/1.1\r\n")


async def test_fields_keep_their_octets_their_case_and_their_order(edge: NewEdge) -> None:
    up = [b"X-A: 1", b"x-b: caf\xe9 \xc3\xa9", b"X-a: 2", b"Cookie: " + b"c" * 16 * 1024]
    down = [b"X-C: caf\xe9 \xc3\xa9", b"X-D: 1", b"x-d: 2"]
    answer = b"\r\n".join([b"HTTP/1.1 200 Fine \xe9", *down, b"Content-Length: 2", b"", b"ok"])
    async with (
        within(SECONDS),
        upstream(says(answer)) as jupyter,
        edge(jupyter.address) as lab,
    ):
        got = await lab.ask(request(b"/", *up))
    assert b"\r\n".join([b"", *up, b""]) in jupyter.heads
    assert b"\r\n".join([b"HTTP/1.1 200 Fine \xe9", *down, b""]) in got
    for name in (b"\r\ncontent-type:", b"\r\nserver:"):
        assert name not in got.lower(), "aiohttp would add it"


async def test_two_hosts_are_refused(edge: NewEdge) -> None:
    async with (
        within(SECONDS),
        upstream(says(OK)) as jupyter,
        edge(jupyter.address) as lab,
    ):
        answer = await lab.ask(request(b"/", b"Host: lab.example.org"))
        assert b" 400 " in answer.partition(b"\r\n")[0]
    assert jupyter.visits == []


# Responses


async def test_continue_is_jupyters_to_say(edge: NewEdge) -> None:
    async def careful(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n")
        await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await visit.exactly(4)
        await visit.say(OK)

    async with within(SECONDS), upstream(careful) as jupyter, edge(jupyter.address) as lab:
        reader, writer = await lab.connect()
        fields = (b"Expect: 100-continue", b"Content-Length: 4")
        writer.write(request(b"/", *fields, method=b"PUT"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 103 ")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(b"body")
        assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 ")


async def test_a_refusal_does_not_ask_for_content(edge: NewEdge) -> None:
    async with within(SECONDS), edge(None) as lab:
        reader, writer = await lab.connect()
        fields = (b"Expect: 100-continue", b"Content-Length: 4", b"Origin: https://evil.example")
        writer.write(request(b"/", *fields, method=b"PUT"))
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403 ")


async def test_the_connection_carries_on_behind_content_that_was_refused(edge: NewEdge) -> None:
    get = b"GET /.labgate/health HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"
    put = (
        b"PUT / HTTP/1.1\r\nHost: lab.example.org\r\nOrigin: https://evil.example\r\n"
        b"Content-Length: %d\r\n\r\n" % len(get)
    )
    async with within(SECONDS), edge(None) as lab:
        reader, writer = await lab.connect()
        writer.write(put)
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 403 ")
        writer.write(get + get)
        answer = await reader.readuntil(b"serving\n")
        assert answer.count(b"HTTP/1.1 200 ") == 1, "content is no request"
        assert len(lab.records) == 2


async def test_head_and_http_1_0_get_what_they_understand(edge: NewEdge) -> None:
    chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
    async with (
        within(SECONDS),
        upstream(says(chunked, head)) as jupyter,
        edge(jupyter.address) as lab,
    ):
        old = await lab.ask(b"GET / HTTP/1.0\r\nHost: lab.example.org\r\n\r\n")
        assert old.startswith(b"HTTP/1.1 200 ")
        assert old.endswith(b"\r\nConnection: close\r\n\r\nok")
        answer = await lab.ask(request(method=b"HEAD"))
        assert b"\r\nContent-Length: 2\r\n" in answer
        assert answer.endswith(b"\r\n\r\n")


async def test_a_slow_client_stops_jupyter(edge: NewEdge) -> None:
    size = 64 * 1024 * 1024
    stalled: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def pour(visit: Visit) -> None:
        await visit.head()
        visit.writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + bytes(size))
        waiting = -1
        while waiting != (left := visit.writer.transport.get_write_buffer_size()):
            waiting = left
            await asyncio.sleep(0.1)
        stalled.set_result(waiting)
        await visit.writer.drain()

    async with within(60), upstream(pour) as jupyter, edge(jupyter.address) as lab:
        reader, writer = await lab.connect()
        writer.transport.pause_reading()
        writer.write(request())
        assert await stalled > 48 * 1024 * 1024
        writer.transport.resume_reading()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        await reader.readexactly(size)


async def test_a_client_that_leaves_frees_jupyter(edge: NewEdge) -> None:
    ended = asyncio.Event()

    async def waits(visit: Visit) -> None:
        await visit.head()
        await visit.reader.read()
        ended.set()

    async with (
        within(SECONDS),
        upstream(waits) as jupyter,
        edge(jupyter.address) as lab,
        enforcing_timeouts(lab),
    ):
        _, writer = await lab.connect()
        writer.write(request())
        await jupyter.arrived.wait()
        # A FIN alone is a client that waits for its response.
        reset(writer.transport)
        await ended.wait()
        await lab.recorded.wait()
    (record,) = lab.records
    assert record.outcome == "the client went away"


async def test_a_response_that_breaks_off_is_a_truncation(edge: NewEdge) -> None:
    half = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"
    async with (
        within(SECONDS),
        upstream(says(half, close=True)) as jupyter,
        edge(jupyter.address) as lab,
    ):
        reader, writer = await lab.connect()
        writer.write(request())
        with pytest.raises(ConnectionResetError):
            await reader.read()


# Public ports

EVERY_FRONT = pytest.mark.parametrize("server_name", ["labgate", "aiohttp", "mounted"])
OF_AN_ADMINISTRATOR = [b"/metrics", b"/inspector/", b"/inspector/api/state", b"/.labgate/metrics"]
"""``tests/admin/test_app.py`` asks the rules about every path; this asks the fronts."""


@EVERY_FRONT
@pytest.mark.parametrize("target", OF_AN_ADMINISTRATOR)
async def test_an_administrators_path_is_an_unknown_one_on_a_public_port(
    server_name: str, target: bytes
) -> None:
    async with (
        within(SECONDS),
        upstream(says(OK)) as jupyter,
        edges.edge(jupyter.address, server_name=server_name) as lab,
    ):
        assert (await lab.ask(request(target))).endswith(b"ok")
        assert jupyter.heads.startswith(b"GET " + target + b" HTTP/1.1\r\n")
        assert lab.router.web_app.pool.connections == 0


@EVERY_FRONT
async def test_clients_do_not_say_where_they_come_from(
    server_name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    site = make_site((PUBLIC,), JUPYTER, challenges=True)
    claims = (b"X-Real-IP: 203.0.113.66", b"x_real_ip: 203.0.113.66", b"X-Forwarded-For: ::1")
    async with (
        within(SECONDS),
        upstream(says(OK)) as jupyter,
        edges.edge(
            jupyter.address, site=site, challenge_folders=[tmp_path], server_name=server_name
        ) as lab,
    ):
        await lab.ask(request(b"/.well-known/acme-challenge/token", *claims))
        await lab.ask(request(b"/", *claims))
    (line,) = [each.getMessage() for each in caplog.records if each.levelno == logging.WARNING]
    assert line.endswith("from 127.0.0.1")
    assert b"203.0.113.66" not in jupyter.heads
    assert jupyter.heads.lower().count(b"x-real-ip: 127.0.0.1\r\n") == 1
