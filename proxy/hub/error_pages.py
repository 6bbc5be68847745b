"""The pages for what has no route or does not answer, and the health check.

An application in this process: the routers send it ``GET /404?url=…`` and ``GET /503?url=…``.
Tested by tests/hub/test_contract.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import aiohttp
from aiohttp import web

from proxy.hub.targets import RouteTarget
from proxy.rules.hub_requests import HUB_HEALTH_PATH
from proxy.runtime.log_throttle import LogThrottle
from proxy.web.errors import error_response
from proxy.web.security import hide_server

log = logging.getLogger("labgate")

FETCH_SECONDS = 10.0
COPIED_FIELDS = ("Content-Type", "Content-Encoding")

_SENTENCES = {
    404: "Nothing is served at this address.",
    503: "The server behind this address does not answer; try again in a moment.",
}


class ErrorPages:
    """Answers with the error target's page, a file, or labgate's own page.

    Args:
        target: Where pages come from, ``GET <target>/<code>?url=<escaped>``; None for nowhere.
        folder: Has ``<code>.html`` or ``error.html``; None for no files.
    """

    def __init__(self, target: RouteTarget | None, folder: Path | None = None) -> None:
        self._target = target
        self._folder = folder
        self._failures = LogThrottle()
        self._session: aiohttp.ClientSession | None = None

    async def run(self, _app: web.Application) -> AsyncIterator[None]:
        """Keep the connections to the error target while the application runs."""
        yield
        if self._session is not None:
            await self._session.close()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The page of one error."""
        status = int(request.match_info["status"])
        if "Sec-WebSocket-Version" in request.headers:
            # A WebSocket handshake: no person sees the response.
            return web.Response(status=status)
        if self._target is not None:
            fetched = await self._fetch(self._target, status, request.query.get("url", ""))
            if fetched is not None:
                return fetched
        elif self._folder is not None and (content := _page_of(self._folder, status)) is not None:
            return web.Response(status=status, body=content, content_type="text/html")
        reason = "upstream" if status == 503 else ""
        return error_response(request, status, reason, _SENTENCES.get(status, "An error."))

    async def _fetch(self, target: RouteTarget, status: int, url: str) -> web.Response | None:
        address = target.address
        path = target.path.decode("ascii").rstrip("/")
        page = f"{address.origin}{path}/{status}"
        try:
            if self._session is None:
                self._session = _session(target)
            context = address.tls.context() if address.tls is not None else True
            async with self._session.get(
                page, params={"url": url}, ssl=context, allow_redirects=False
            ) as response:
                content = await response.read()
        except (aiohttp.ClientError, OSError, asyncio.TimeoutError) as error:  # noqa: UP041  3.11
            if (more := self._failures.due(monotonic())) is not None:
                message = "no page from the error target: %s%s"
                log.warning(message, error or type(error).__name__, more)
            return None
        fields = {
            name: response.headers[name] for name in COPIED_FIELDS if name in response.headers
        }
        return web.Response(status=status, body=content, headers=fields)


def make_pages_app(pages: ErrorPages) -> web.Application:
    """The application in this process."""
    app = web.Application()
    app.cleanup_ctx.append(pages.run)
    app.on_response_prepare.append(hide_server)
    app.router.add_get(HUB_HEALTH_PATH.decode("ascii"), _health)
    app.router.add_get(r"/{status:\d{3}}", pages.answer)
    return app


async def _health(_request: web.Request) -> web.Response:
    return web.json_response({"status": "OK"})


def _session(target: RouteTarget) -> aiohttp.ClientSession:
    path = target.address.path
    connector = aiohttp.UnixConnector(path) if path is not None else None
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=FETCH_SECONDS),
        # Content passes as it comes, compressed or not.
        auto_decompress=False,
        headers={"Accept-Encoding": "identity"},
        cookie_jar=aiohttp.DummyCookieJar(),
    )


def _page_of(folder: Path, status: int) -> bytes | None:
    for name in (f"{status}.html", "error.html"):
        try:
            return (folder / name).read_bytes()
        except OSError:
            continue
    return None
