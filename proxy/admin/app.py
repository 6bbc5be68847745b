"""The admin listener's application.

Tested by tests/admin/test_exchanges.py and tests/admin/test_protection.py.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from proxy.admin.exchanges import ExchangesApi
from proxy.admin.live import live
from proxy.admin.protection import BASE
from proxy.admin.replay import Replay
from proxy.inspector.inspector import Inspector
from proxy.web.security import hide_server, security_fields

STATIC = Path(__file__).with_name("static")
MAX_REQUEST_BYTES = 64 * 1024 * 1024
"""Archives are large."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
_TYPES = {".html": "text/html", ".css": "text/css", ".js": "text/javascript"}


def make_admin_app(
    inspector: Inspector,
    replay: Replay,
    protection: Middleware,
    about: Callable[[], dict[str, Any]],
    facts: Callable[[str], Mapping[str, str]],
    *,
    no_lines_for: Collection[str] = (),
) -> web.Application:
    """The inspector's page and its API.

    Args:
        inspector: Captures, and holds what was captured.
        replay: Sends requests again.
        protection: Who may ask.
        about: Facts for the page's head.
        facts: As ``ExchangesApi``'s.
        no_lines_for: Servers that are not configured by such lines.
    """
    app = web.Application(
        middlewares=[security_fields, protection], client_max_size=MAX_REQUEST_BYTES
    )
    app.on_response_prepare.append(hide_server)
    exchanges = ExchangesApi(inspector, about, facts, no_lines_for)

    async def stream(request: web.Request) -> web.WebSocketResponse:
        return await live(request, inspector, exchanges.capture_state)

    async def again(request: web.Request) -> web.Response:
        return await replay.handle(request, exchanges.exchange_of(request))

    api = BASE + "api/"
    app.router.add_get(api + "state", exchanges.state)
    app.router.add_post(api + "state", exchanges.switch)
    app.router.add_get(api + "exchanges", exchanges.list)
    app.router.add_get(api + r"exchanges/{number:\d{1,9}}", exchanges.one)
    app.router.add_post(api + r"exchanges/{number:\d{1,9}}/replay", again)
    app.router.add_post(api + "clear", exchanges.clear)
    app.router.add_get(api + "har", exchanges.export)
    app.router.add_post(api + "har", exchanges.read_in)
    app.router.add_get(api + "live", stream)
    app.router.add_get("/", _to_the_page)
    for file in sorted(STATIC.iterdir()):
        if file.suffix in _TYPES:
            path = BASE if file.name == "index.html" else BASE + file.name
            app.router.add_get(path, _file(file.read_bytes(), _TYPES[file.suffix]))
    return app


async def _to_the_page(_request: web.Request) -> web.Response:
    return web.Response(status=303, headers={"Location": BASE})


def _file(content: bytes, content_type: str) -> Handler:
    async def answer(_request: web.Request) -> web.Response:
        return web.Response(
            body=content,
            content_type=content_type,
            charset="utf-8",
            headers={"Content-Security-Policy": PAGE_POLICY},
        )

    return answer
