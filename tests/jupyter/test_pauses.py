"""What the log says of a paused container, by an engine that ends in the middle of a line."""

from __future__ import annotations

import asyncio
import json

import aiodocker
import pytest
from aiohttp import web

from proxy.jupyter.pauses import log_pauses

SECONDS = 60


async def test_a_broken_line_of_the_engines_is_not_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    paused = json.dumps({"Action": "pause"}).encode()
    asked = 0
    said, over = asyncio.Event(), asyncio.Event()

    async def events(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        response = web.StreamResponse()
        await response.prepare(request)
        if asked == 1:
            await response.write(paused[:9])
        else:
            await response.write(paused + b"\n" + paused + b"\n")
            said.set()
            await over.wait()
        return response

    engine = web.Application()
    engine.router.add_get("/{version}/events", events)
    runner = web.AppRunner(engine)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = "tcp://{}:{}".format(*runner.addresses[0][:2])
    async with asyncio.timeout(SECONDS), aiodocker.Docker(address, api_version="v1.43") as docker:
        watching = asyncio.ensure_future(log_pauses(docker, "some-id", "lab"))
        heard = asyncio.ensure_future(said.wait())
        await asyncio.wait({watching, heard}, return_when=asyncio.FIRST_COMPLETED)
        assert not watching.done(), watching.exception()
        while "lab is paused" not in caplog.text:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0.01)
        watching.cancel()
        over.set()
    await runner.cleanup()
