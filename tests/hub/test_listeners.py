"""The listener of the Hub's API, while another process takes over."""

from __future__ import annotations

import asyncio
import socket

from aiohttp import web

from proxy.hub.listeners import FORGOTTEN_CONNECTIONS, AppListener

ASKED = b"GET / HTTP/1.1\r\nHost: hub\r\n\r\n"


def make_app() -> web.Application:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(text="answered")

    app = web.Application()
    app.router.add_get("/", answer)
    return app


async def test_a_connection_that_is_only_kept_open_is_not_waited_for() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    listener = AppListener(make_app, arrival_seconds=3600)
    await listener.open([listening])
    for _ in range(2 * FORGOTTEN_CONNECTIONS):
        ending_reader, ending = await asyncio.open_connection("127.0.0.1", port)
        ending.write(ASKED)
        await ending_reader.readuntil(b"answered")
        ending.close()
        await ending.wait_closed()
    kept_reader, kept = await asyncio.open_connection("127.0.0.1", port)
    kept.write(ASKED)
    await kept_reader.readuntil(b"answered")
    async with asyncio.timeout(30):
        await listener.close()
        assert await kept_reader.read() == b""
    kept.close()


async def test_a_request_on_its_way_is_answered_when_the_listener_closes() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    listener = AppListener(make_app)
    await listener.open([listening])
    first_reader, first = await asyncio.open_connection("127.0.0.1", port)
    first.write(ASKED)
    await first_reader.readuntil(b"answered")
    # Accepted in their order: this one is, when the next has been answered.
    late_reader, late = await asyncio.open_connection("127.0.0.1", port)
    next_reader, following = await asyncio.open_connection("127.0.0.1", port)
    following.write(ASKED)
    await next_reader.readuntil(b"answered")
    closing = asyncio.ensure_future(listener.close())
    await asyncio.sleep(0)
    late.write(ASKED)
    async with asyncio.timeout(30):
        assert (await late_reader.read()).endswith(b"answered")
        await closing
    for writer in (first, late, following):
        writer.close()
