from __future__ import annotations

from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from proxy.jupyter.activity import describe_activity, describe_busy
from proxy.jupyter.launcher import Login
from proxy.net.upstream_address import UpstreamAddress

TOKEN = Login("token", "t0ken")


@pytest.mark.parametrize(
    ("states", "terminals", "description"),
    [
        ([], 0, ""),
        (["idle", "dead"], 0, ""),
        (["idle", "busy"], 0, "1 kernel is busy"),
        (["busy", "starting"], 0, "2 kernels are busy"),
        (["idle"], 1, "1 terminal is open"),
        (["busy"], 2, "1 kernel is busy and 2 terminals are open"),
        ([None], 0, "1 kernel is busy"),
    ],
)
def test_in_words(states: list[str | None], terminals: int, description: str) -> None:
    kernels = [{"execution_state": state} if state else {} for state in states]
    assert describe_busy(kernels, [{"name": str(n)} for n in range(terminals)]) == description


async def asked(kernels: web.Response, terminals: web.Response, login: Login = TOKEN) -> str:
    seen: list[Any] = []

    async def kernels_(request: web.Request) -> web.Response:
        seen.append(request.headers["Authorization"])
        return kernels

    async def terminals_(_request: web.Request) -> web.Response:
        return terminals

    app = web.Application()
    app.router.add_get("/api/kernels", kernels_)
    app.router.add_get("/api/terminals", terminals_)
    async with TestServer(app) as server:
        assert server.port
        description = await describe_activity(UpstreamAddress("127.0.0.1", server.port), login)
    assert seen in ([], ["token t0ken"])
    return description


async def test_a_busy_kernel() -> None:
    kernels = web.json_response([{"execution_state": "busy"}])
    assert await asked(kernels, web.json_response([])) == "1 kernel is busy"


async def test_terminals_that_are_switched_off() -> None:
    assert await asked(web.json_response([]), web.Response(status=404)) == ""


@pytest.mark.parametrize(
    "kernels",
    [
        web.Response(status=403),
        web.json_response({"message": "?"}),
        web.Response(text="[", content_type="application/json"),
    ],
)
async def test_what_jupyter_does_not_tell(kernels: web.Response) -> None:
    description = await asked(kernels, web.json_response([]))
    assert description == "kernels may be busy (Jupyter does not tell)"


async def test_nobody_there() -> None:
    description = await describe_activity(UpstreamAddress("127.0.0.1", 1), TOKEN)
    assert description == "kernels may be busy (Jupyter does not tell)"


async def test_a_password() -> None:
    description = await describe_activity(UpstreamAddress("127.0.0.1", 1), Login("password"))
    assert description == "kernels may be busy (only who has the password can see)"
