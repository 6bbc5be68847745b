"""The application as an upstream in the same process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web

from proxy.net.limits import Limits
from proxy.web import in_process
from proxy.web.in_process import InProcessUpstream

SECONDS = 60.0
REQUEST = b"GET /hello HTTP/1.1\r\nHost: anything\r\n\r\n"


def make_app() -> web.Application:
    async def hello(_request: web.Request) -> web.Response:
        return web.Response(text="hello")

    async def echo(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.router.add_get("/hello", hello)
    app.router.add_post("/echo", echo)
    return app


@pytest.fixture
async def upstream() -> AsyncIterator[InProcessUpstream]:
    running = InProcessUpstream(make_app)
    yield running
    await running.stop()


async def connect(
    upstream: InProcessUpstream,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await upstream.connect(lambda: protocol)
    assert isinstance(transport, asyncio.Transport)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def test_a_connection_carries_several_requests(upstream: InProcessUpstream) -> None:
    reader, writer = await connect(upstream)
    for _ in range(3):
        writer.write(REQUEST)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(5) == b"hello"
    writer.close()


async def test_a_stop_ends_the_connections(upstream: InProcessUpstream) -> None:
    reader, writer = await connect(upstream)
    writer.write(REQUEST)
    await reader.readuntil(b"hello")
    await upstream.stop()
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(OSError, match="it is not running"):
        await connect(upstream)


async def test_it_starts_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(in_process, "START_DELAY_SECONDS", 0.0)
    made = asyncio.Event()

    def make() -> web.Application:
        made.set()
        return make_app()

    upstream = InProcessUpstream(make)
    upstream.start_soon()
    async with asyncio.timeout(SECONDS):
        await made.wait()
    reader, writer = await connect(upstream)
    writer.write(REQUEST)
    assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    await upstream.stop()


async def test_many_that_connect_before_the_start_wait_for_one_start() -> None:
    made = 0

    def make() -> web.Application:
        nonlocal made
        made += 1
        return make_app()

    upstream = InProcessUpstream(make)
    early = [asyncio.ensure_future(connect(upstream)) for _ in range(3)]
    await asyncio.sleep(0)
    early.pop().cancel()  # its client has gone
    async with asyncio.timeout(SECONDS):
        for waiting in early:
            reader, writer = await waiting
            writer.write(REQUEST)
            assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
            writer.close()
        await upstream.stop()
    assert made == 1


async def test_a_stop_during_the_start_ends_it() -> None:
    upstream = InProcessUpstream(make_app)
    early = asyncio.ensure_future(connect(upstream))
    await asyncio.sleep(0)
    async with asyncio.timeout(SECONDS):
        await upstream.stop()
        with pytest.raises(OSError, match="it is not running"):
            await early


async def test_a_stop_before_the_start_leaves_nothing_behind() -> None:
    upstream = InProcessUpstream(make_app)
    upstream.start_soon()
    await upstream.stop()
    with pytest.raises(OSError, match="it is not running"):
        await connect(upstream)


async def test_an_application_that_does_not_start_is_an_upstream_that_is_down(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fails() -> web.Application:
        raise ValueError("no routes")

    upstream = InProcessUpstream(fails)
    async with asyncio.timeout(SECONDS):
        for _ in range(2):
            with pytest.raises(OSError, match="it is not running"):
                await connect(upstream)
        await upstream.stop()
    assert "background task web application failed" in caplog.text


@pytest.mark.parametrize("turns", range(8))
async def test_a_client_that_leaves_while_it_connects_breaks_nobody(
    upstream: InProcessUpstream, turns: int
) -> None:
    (await connect(upstream))[1].close()
    connecting = asyncio.ensure_future(connect(upstream))
    for _ in range(turns):
        await asyncio.sleep(0)
    connecting.cancel()
    await asyncio.wait({connecting})
    if not connecting.cancelled():
        connecting.result()[1].close()
    # A descriptor closed under a transport would be one of these, and refused.
    async with asyncio.timeout(SECONDS):
        others = [await connect(upstream) for _ in range(8)]
        for reader, writer in others:
            writer.write(REQUEST)
            await reader.readuntil(b"hello")
            writer.close()


async def test_a_start_that_failed_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    makers = [web.Application, make_app]

    def make() -> web.Application:
        if len(makers) > 1:
            makers.pop(0)
            raise ValueError("no routes")
        return makers[0]()

    upstream = InProcessUpstream(make)
    async with asyncio.timeout(SECONDS):
        with pytest.raises(OSError, match="it is not running"):
            await connect(upstream)
        reader, writer = await connect(upstream)
        writer.write(REQUEST)
        await reader.readuntil(b"hello")
        writer.close()
        await upstream.stop()
    assert "background task web application failed" in caplog.text


async def test_content_is_not_decompressed(upstream: InProcessUpstream) -> None:
    """That would take the event loop's time, for anybody who sends some."""
    async with asyncio.timeout(SECONDS):
        reader, writer = await connect(upstream)
        head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n"
        writer.write(head + b"Content-Length: 5\r\n\r\nplain")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
        assert await reader.readexactly(5) == b"plain"
        writer.close()


LIMITS = Limits(request_line=20_000, head=90_000, fields=400)
LARGEST = [
    pytest.param(b"GET /hello?" + b"x" * 19_900 + b" HTTP/1.1\r\nHost: a\r\n", id="line"),
    pytest.param(
        b"GET /hello HTTP/1.1\r\nHost: a\r\nCookie: " + b"x" * 89_900 + b"\r\n", id="field"
    ),
    pytest.param(b"GET /hello HTTP/1.1\r\nHost: a\r\n" + b"A: b\r\n" * 399, id="fields"),
]


@pytest.mark.parametrize("head", LARGEST)
async def test_whatever_labgates_limits_allow_is_understood(head: bytes) -> None:
    """With the fields that labgate adds."""
    upstream = InProcessUpstream(make_app, LIMITS)
    async with asyncio.timeout(SECONDS):
        reader, writer = await connect(upstream)
        writer.write(head + b"X-Real-IP: 203.0.113.7\r\n" * 8 + b"\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        await upstream.stop()
