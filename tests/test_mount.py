"""labgate in somebody else's application: the example of ARCHITECTURE.md, as it stands there."""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import ClientSession, WSMsgType, web

from proxy.config.settings import Settings
from proxy.errors import UsageError
from proxy.mount import Mount
from tests.certificates import AUTHORITY, pair
from tests.e2e.programs import free_port
from tests.upstreams import OK, Visit, upstream

ROOT = Path(__file__).parent.parent
START_SECONDS = 60


def example() -> str:
    """The program ``lab.py`` in ARCHITECTURE.md."""
    document = (ROOT / ".github/ARCHITECTURE.md").read_text("utf-8")
    (text,) = re.findall(r"```python\n(# lab\.py: .*?)```", document, re.DOTALL)
    return str(text)


@asynccontextmanager
async def running(folder: Path, upstream_port: int) -> AsyncIterator[int]:
    pair(folder, "localhost")
    (folder / "lab.py").write_text(example())
    port = free_port()
    program = await asyncio.create_subprocess_exec(
        sys.executable,
        str(folder / "lab.py"),
        str(port),
        f"http://127.0.0.1:{upstream_port}",
        cwd=folder,
        env={"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "XDG_STATE_HOME": str(folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert program.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            told = await program.stdout.readuntil(b"Running on")
        assert b"Error" not in told
        yield port
    finally:
        with suppress(ProcessLookupError):
            program.terminate()
        async with asyncio.timeout(START_SECONDS):
            rest = await program.stdout.read()
            await program.wait()
    assert b"Traceback" not in rest, rest


async def jupyter_and_echo() -> AsyncIterator[int]:
    """A stand-in for Jupyter: one page, and a WebSocket that echoes."""

    async def page(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.host} {request.headers['X-Forwarded-Proto']}")

    async def echo(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            await socket.send_str(message.data)
        return socket

    app = web.Application()
    app.router.add_get("/api/kernels/1/channels", echo)
    app.router.add_route("*", "/{path:.*}", page)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def test_the_example_serves_its_own_pages_and_jupyter(tmp_path: Path) -> None:
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    async with (
        asynccontextmanager(jupyter_and_echo)() as upstream_port,
        running(tmp_path, upstream_port) as port,
        ClientSession(f"https://localhost:{port}") as client,
    ):
        async with client.get("/hello", ssl=trusting) as response:
            assert await response.text() == "This is mine.\n"
        async with client.get("/lab", ssl=trusting) as response:
            assert await response.text() == f"127.0.0.1:{upstream_port} https"
        async with client.get("/lab", ssl=trusting, headers={"Host": "evil.example"}) as response:
            assert response.status == 421, "labgate's own check"
        path, origin = "/api/kernels/1/channels", f"https://localhost:{port}"
        async with client.ws_connect(path, ssl=trusting, origin=origin) as socket:
            await socket.send_str("ping")
            assert await socket.receive_str() == "ping"
        async with client.get(path, ssl=trusting, headers={"Origin": "https://evil.example"}) as no:
            assert no.status == 403


async def test_a_stop_of_the_host_cuts_websockets(tmp_path: Path) -> None:
    """Without a close frame: JupyterLab comes back after that."""
    trusting = ssl.create_default_context()
    AUTHORITY.configure_trust(trusting)
    async with (
        asynccontextmanager(jupyter_and_echo)() as upstream_port,
        ClientSession() as client,
    ):
        async with running(tmp_path, upstream_port) as port:
            origin = f"https://localhost:{port}"
            socket = await client.ws_connect(
                f"{origin}/api/kernels/1/channels", ssl=trusting, origin=origin
            )
        message = await socket.receive()
        assert message.type in (WSMsgType.CLOSED, WSMsgType.ERROR)
        assert socket.close_code == 1006


def settings(address: str) -> Settings:
    return Settings.model_validate(
        {"site": {"domains": ["lab.example.org"]}, "upstream": {"url": address}}
    )


def test_it_needs_a_jupyter() -> None:
    with pytest.raises(UsageError, match=r"upstream\.url"):
        Mount(settings(""))


def test_it_refuses_to_observe() -> None:
    """``listen.bind`` says nothing here: the host's server may listen to everybody."""
    site, upstream = {"domains": ["localhost:8443"]}, {"url": "http://127.0.0.1:8888"}
    observing = Settings.model_validate(
        {"site": site, "upstream": upstream, "inspector": {"observe": True}}
    )
    with pytest.raises(UsageError, match=r"inspector\.observe"):
        Mount(observing)


async def test_continue_is_jupyters_to_say_in_an_application_too() -> None:
    """aiohttp's router answers Expect itself where the route has no handler for it."""

    async def careful(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await visit.exactly(4)
        await visit.say(OK)

    async with asyncio.timeout(START_SECONDS), upstream(careful) as jupyter:
        lab = Mount(settings(f"http://127.0.0.1:{jupyter.address.port}"))
        app = web.Application()
        lab.setup(app)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        try:
            reader, writer = await asyncio.open_connection(*runner.addresses[0][:2])
            writer.write(
                b"PUT / HTTP/1.1\r\nHost: lab.example.org\r\nExpect: 100-continue\r\n"
                b"Content-Length: 4\r\n\r\n"
            )
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 103 ")
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
            writer.write(b"body")
            assert (await reader.readuntil(b"\r\n\r\nok")).startswith(b"HTTP/1.1 200 ")
            writer.close()
        finally:
            await runner.cleanup()
