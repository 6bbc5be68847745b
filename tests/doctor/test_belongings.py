"""What the doctor made is removed, also where one request to Jupyter hangs in a proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from proxy.doctor.belongings import REMOVE_SECONDS, Belongings
from proxy.doctor.browser import Browser
from proxy.doctor.target import read_target
from tests.doctor.python_proxy import serving

Hangs = Callable[[web.BaseRequest], bool]


class _Jupyter:
    """It has one session, and notes what is deleted; what a proxy in front of it keeps hangs."""

    def __init__(self, hangs: Hangs) -> None:
        self.hangs = hangs
        self.hanging = asyncio.Event()
        self.label = ""
        self.deleted: list[str] = []

    async def handle(self, request: web.BaseRequest) -> web.Response:
        if self.hangs(request):
            self.hanging.set()
            await asyncio.Event().wait()
        if request.method == "DELETE":
            self.deleted.append(request.path)
            return web.Response(status=204)
        if request.path == "/api/sessions":
            session = {"id": "s1", "path": self.label, "kernel": {"id": "k1"}}
            return web.json_response([session])
        if "channels" in request.path:
            return web.Response(status=404)
        return web.json_response({})


async def _interrupted(
    belongings: Belongings, browser: Browser, what: str, jupyter: _Jupyter, path: str
) -> None:
    """Create something that hangs, and give up."""
    method = "PUT" if what == "file" else "POST"
    jupyter.label = belongings.label
    asked = browser.call(method, path, {})
    creating = asyncio.ensure_future(belongings.create(what, asked))
    await jupyter.hanging.wait()
    creating.cancel()
    await asyncio.wait([creating])


async def _create(belongings: Belongings, browser: Browser, what: str) -> None:
    await belongings.create(what, browser.call("POST", f"/api/{what}s", {}))


async def test_a_file_whose_creation_hangs_keeps_nothing_else() -> None:
    jupyter = _Jupyter(lambda request: request.method == "PUT")
    async with serving(jupyter.handle) as url, Browser(read_target(url)[0], None) as browser:
        belongings = Belongings(browser)
        await _create(belongings, browser, "session")
        belongings.adopt_session("s1", "k1")
        await _create(belongings, browser, "terminal")
        await _interrupted(belongings, browser, "file", jupyter, f"/api/contents/{belongings.file}")
        async with asyncio.timeout(REMOVE_SECONDS):
            await belongings.remove()
        assert belongings.left == []
    assert jupyter.deleted == [
        f"/api/terminals/{belongings.terminal}",
        f"/api/contents/{belongings.file}",
        "/api/sessions/s1",
    ]


async def test_a_session_whose_creation_hangs_is_looked_for() -> None:
    jupyter = _Jupyter(lambda request: request.method == "POST")
    async with serving(jupyter.handle) as url, Browser(read_target(url)[0], None) as browser:
        belongings = Belongings(browser)
        await _interrupted(belongings, browser, "session", jupyter, "/api/sessions")
        await belongings.remove()
        assert belongings.left == []
    assert jupyter.deleted == ["/api/sessions/s1"]


@pytest.mark.slow
@pytest.mark.parametrize("kept", ["terminals", "contents"])
async def test_a_removal_that_hangs_keeps_no_other(kept: str) -> None:
    jupyter = _Jupyter(lambda request: request.method == "DELETE" and kept in request.path)
    async with serving(jupyter.handle) as url, Browser(read_target(url)[0], None) as browser:
        belongings = Belongings(browser)
        for what in ("session", "terminal", "file"):
            await _create(belongings, browser, what)
        belongings.adopt_session("s1", "k1")
        await belongings.remove()
        (left,) = belongings.left
    assert kept in left.path
    assert len(jupyter.deleted) == 2
    assert "/api/sessions/s1" in jupyter.deleted
