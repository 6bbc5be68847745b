from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from proxy.errors import StartError
from proxy.jupyter.exit_cause import ExitCause
from proxy.jupyter.launcher import JupyterExit, Launched
from proxy.jupyter.readiness import is_ready, is_silent, wait_until_ready
from proxy.net.upstream_address import UpstreamAddress

NOBODY = UpstreamAddress("127.0.0.1", 1)  # tcpmux; nothing listens there
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serving(handler: Handler, path: str = "") -> AsyncIterator[UpstreamAddress]:
    runner = web.ServerRunner(web.Server(handler), shutdown_timeout=0.1)
    await runner.setup()
    site = web.UnixSite(runner, path) if path else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        if path:
            yield UpstreamAddress("localhost", 80, path)
        else:
            yield UpstreamAddress("127.0.0.1", runner.addresses[0][1], None, "/base/")
    finally:
        await runner.cleanup()


def replying(body: str, status: int = 200, **headers: str) -> Handler:
    async def handler(_: web.BaseRequest) -> web.Response:
        return web.Response(text=body, status=status, headers=headers)

    return handler


class Silent:
    """A launcher whose Jupyter answers and ends as the test wants."""

    def __init__(self, *lines: str) -> None:
        self.end: asyncio.Future[JupyterExit] = asyncio.get_running_loop().create_future()
        self.lines = lines

    async def launch(self) -> Launched:
        raise NotImplementedError

    async def wait_for_exit(self) -> JupyterExit:
        return await asyncio.shield(self.end)

    async def relaunch(self) -> Launched:
        raise NotImplementedError

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        return self.lines[-count:]

    def follow_log(self, count: int) -> AsyncIterator[str]:
        raise NotImplementedError

    async def condition(self) -> str:
        return ""

    async def leave(self) -> None:
        raise NotImplementedError

    async def stop(self) -> None:
        raise NotImplementedError


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (replying('{"version": "2.21.1"}'), True),
        (replying('{"version": "2.21.1"}', 503), False),
        (replying('{"message": "hello"}'), False),
        (replying('["version"]'), False),
        (replying("<h1>It works!</h1>"), False),
        (replying(""), False),
        (replying("[" * 30_000), False),
        (replying("", 302, Location="/login"), False),
    ],
)
async def test_only_a_jupyter_answers(handler: Handler, expected: bool) -> None:
    async with serving(handler) as address:
        assert await is_ready(address) is expected


async def test_asks_for_the_api_below_base_path_with_the_upstreams_host() -> None:
    asked: list[tuple[str, str]] = []

    async def handler(request: web.BaseRequest) -> web.Response:
        asked.append((request.raw_path, request.headers["Host"]))
        return web.json_response({"version": "1"})

    async with serving(handler) as address:
        assert await is_ready(address)
        assert asked == [("/base/api", f"127.0.0.1:{address.port}")]


async def test_over_a_unix_socket(sockets: Path) -> None:
    path = str(sockets / "jupyter.sock")
    assert not await is_ready(UpstreamAddress("localhost", 80, path))
    async with serving(replying('{"version": "1"}'), path) as address:
        assert await is_ready(address)


async def test_silence_is_no_answer() -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    assert not await is_ready(NOBODY)
    async with serving(handler) as address:
        assert not await is_ready(address, timeout_seconds=0.05)


@pytest.mark.parametrize("status", [200, 302, 404, 500])
async def test_any_answer_shows_that_somebody_is_there(status: int) -> None:
    async with serving(replying("no Jupyter", status)) as address:
        assert not await is_silent(address, 30)


async def test_silence_shows_that_nobody_is_there(tmp_path: Path) -> None:
    async def handler(_: web.BaseRequest) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(handler) as address:
        assert await is_silent(address, 0.05)
    assert await is_silent(NOBODY, 30)
    assert await is_silent(UpstreamAddress("localhost", 80, str(tmp_path / "none.sock")), 30)


async def test_something_that_is_not_http() -> None:
    async def babble(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-OpenSSH_9.2\r\n")
        writer.close()

    server = await asyncio.start_server(babble, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert not await is_ready(UpstreamAddress("127.0.0.1", port))


async def test_ready_after_a_while() -> None:
    asked = 0

    async def handler(_: web.BaseRequest) -> web.Response:
        nonlocal asked
        asked += 1
        return web.json_response({"version": "1"}, status=503 if asked < 3 else 200)

    async with serving(handler) as address:
        assert await wait_until_ready(Silent(), address, 10) is None
    assert asked == 3
    assert len(asyncio.all_tasks()) == 1


async def test_its_end_is_reported_with_the_log() -> None:
    launcher = Silent()
    launcher.end.set_result(
        JupyterExit(1, "the process exited with status 1", ("Traceback", "Oh no"))
    )
    with pytest.raises(StartError) as caught:
        await wait_until_ready(launcher, NOBODY, 10)
    assert str(caught.value) == (
        "Jupyter stopped while it was starting: the process exited with status 1. "
        "The end of its log:\n    Traceback\n    Oh no\n"
        "Fix what it reports, then start again."
    )


async def test_an_end_from_outside_is_no_error() -> None:
    launcher = Silent()
    end = JupyterExit(0, "container x was stopped from outside", ("starting",), ExitCause.OUTSIDE)
    launcher.end.set_result(end)
    assert await wait_until_ready(launcher, NOBODY, 10) is end


async def test_its_end_counts_even_if_somebody_answers() -> None:
    launcher = Silent()

    async def handler(_: web.BaseRequest) -> web.Response:
        launcher.end.set_result(JupyterExit(1, "the port was taken", ()))
        await asyncio.sleep(0)
        return web.json_response({"version": "1"})

    async with serving(handler) as address:
        with pytest.raises(StartError, match=r"the port was taken\. It logged nothing"):
            await wait_until_ready(launcher, address, 10)


async def test_time_runs_out() -> None:
    with pytest.raises(StartError) as caught:
        await wait_until_ready(Silent("loading extensions"), NOBODY, 0.2)
    message = str(caught.value)
    assert "did not answer http://127.0.0.1:1/api within 0.2 s" in message
    assert "\n    loading extensions\n" in message
    assert "jupyter.start_timeout_seconds" in message
    assert len(asyncio.all_tasks()) == 1


async def test_cancelled_without_a_trace() -> None:
    waiting = asyncio.ensure_future(wait_until_ready(Silent(), NOBODY, 60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert len(asyncio.all_tasks()) == 1
