"""The Hub's API: list, add and remove routes. On a listener of its own, with a token.

Tested by tests/hub/test_contract.py, tests/hub/test_api.py and tests/hub/test_logs.py.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hmac import compare_digest
from typing import Any
from urllib.parse import unquote

from aiohttp import hdrs, web

from proxy.hub.created import created
from proxy.hub.hub_route import HubRoute
from proxy.hub.shared_routes import SharedRoutes
from proxy.hub.stored_route import to_json
from proxy.runtime.log_format import facts
from proxy.web.security import hide_server

log = logging.getLogger("labgate")

ROUTES = "/api/routes"
MAX_BODY_BYTES = 1024 * 1024
MAX_LEVELS = 100
"""Of a route's data. What can just be read could not be listed, and no other route with it."""

_TOKEN = re.compile(r"\s*token\s+(\S+)\s*", re.IGNORECASE)


@dataclass(slots=True)
class ApiCounts:
    """What was asked for, for the metrics.

    Attributes:
        listed: How often all routes were.
        added: How many routes.
        removed: How many routes.
        statuses: How many responses of each status.
    """

    listed: int = 0
    added: int = 0
    removed: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


class RoutesApi:
    """``/api/routes`` as configurable-http-proxy has it.

    Args:
        shared: The routes of all processes.
        token: What ``Authorization: token …`` must have.
        counts: Counts what is asked for.
        by_host: Whether the first segment of a key is a host, which is listed as ``host``.
    """

    def __init__(
        self, shared: SharedRoutes, token: str, counts: ApiCounts, *, by_host: bool = False
    ) -> None:
        self._shared = shared
        self._table = shared.table
        self._token = token.encode("utf-8", "surrogateescape")
        self._counts = counts
        self._by_host = by_host
        self._methods: dict[str, Callable[[web.Request, str], Awaitable[web.StreamResponse]]] = {
            "GET": self._list,
            "POST": self._add,
            "DELETE": self._remove,
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Every request of the listener; counts the responses."""
        path = request.raw_path.partition("?")[0]
        try:
            response = await self._answer(request, path)
        except web.HTTPException as error:
            self._counts.statuses[error.status] += 1
            raise
        self._counts.statuses[response.status] += 1
        if log.isEnabledFor(logging.DEBUG):
            known = facts(method=request.method, path=path, status=response.status)
            log.debug("API: %d %s %s", response.status, request.method, path, extra=known)
        return response

    async def _answer(self, request: web.Request, path: str) -> web.StreamResponse:
        if path != ROUTES and not path.startswith(f"{ROUTES}/"):
            return web.Response(status=404, text="Not Found")
        method = self._methods.get(request.method)
        if method is None:
            allow = {"Allow": ", ".join(self._methods)}
            return web.Response(status=405, text="Method not supported", headers=allow)
        if not self._authorized(request):
            return web.Response(status=403, text="Send Authorization: token TOKEN")
        return await method(request, unquote(path.removeprefix(ROUTES)) or "/")

    def _authorized(self, request: web.Request) -> bool:
        match = _TOKEN.fullmatch(request.headers.get(hdrs.AUTHORIZATION, ""))
        given = match[1].encode("utf-8", "surrogateescape") if match else b""
        return compare_digest(given, self._token)

    async def _list(self, request: web.Request, path: str) -> web.Response:
        await self._shared.refresh()
        if path != "/":
            route = self._table.get(path)
            return web.Response(status=404) if route is None else _json(describe_route(route))
        routes = self._table.by_path
        text = request.query.get("inactiveSince") or request.query.get("inactive_since")
        before = float("inf")
        if text:
            try:
                before = _timestamp(text)
            except ValueError:
                reason = f"Invalid datestamp '{text}' must be ISO8601."
                return web.Response(status=400, text=reason)
        self._counts.listed += 1
        listed = {key: describe_route(route) for key, route in routes.items() if route.at < before}
        return _json(listed)

    async def _add(self, request: web.Request, path: str) -> web.StreamResponse:
        body = await _content(request)
        text = _one_line(body)
        try:
            data = json.loads(body, cls=_Decoder) if text is None else _DECODER.decode(text)
        except (ValueError, RecursionError) as error:
            return web.Response(status=400, text=f"Body not valid JSON: {error}")
        # Looking costs more than counting, and no Hub's data has so many.
        opened = body.count(b"{") + body.count(b"[")
        if opened > MAX_LEVELS and _nests_deeper(data, MAX_LEVELS):
            return web.Response(status=400, text=f"JSON of more than {MAX_LEVELS} levels")
        if not isinstance(data, dict) or not isinstance(data.get("target"), str):
            return web.Response(status=400, text="Must specify 'target' as string")
        if self._by_host and path != "/":
            data["host"] = path.lstrip("/").partition("/")[0]
            text = None
        try:
            route = await self._shared.add(path, data, text)
        except ValueError as error:
            return web.Response(status=400, text=str(error))
        self._counts.added += 1
        if log.isEnabledFor(logging.INFO):
            known = facts(change="added", route=route.path, upstream=route.url)
            log.info("route %r leads to %r", route.path, route.url, extra=known)
        return created(request)

    async def _remove(self, _request: web.Request, path: str) -> web.Response:
        route = await self._shared.remove(path)
        if route is None:
            return web.Response(status=404)
        self._counts.removed += 1
        known = facts(change="removed", route=route.path, upstream=route.url)
        log.info("route %r is removed", route.path, extra=known)
        return web.Response(status=204)


def _refuse_constant(name: str) -> float:
    """NaN and Infinity, which Python reads, are no JSON (RFC 8259 section 6).

    Listed as they came, they would make the whole list unreadable for a strict reader.
    """
    raise ValueError(f"{name} is no number")


class _Decoder(json.JSONDecoder):
    def __init__(self) -> None:
        super().__init__(parse_constant=_refuse_constant)


_DECODER = _Decoder()


def make_api_app(api: RoutesApi) -> web.Application:
    """The application of the API's listener."""
    app = web.Application(client_max_size=MAX_BODY_BYTES)
    app.on_response_prepare.append(hide_server)
    # First and with its own prefix, by which aiohttp finds it in half the time.
    app.router.add_route("*", f"{ROUTES}/{{path:.*}}", api.answer)
    app.router.add_route("*", "/{path:.*}", api.answer)
    return app


def describe_route(route: HubRoute) -> dict[str, Any]:
    """A route as it is listed."""
    at = datetime.fromtimestamp(route.at, UTC)
    shown = at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {**route.data, "last_activity": shown}


async def _content(request: web.Request) -> bytes:
    """The body, without waiting where all of it is here already.

    Raises:
        web.HTTPRequestEntityTooLarge: It is longer than ``MAX_BODY_BYTES``.
    """
    if not request.content.is_eof():
        return await request.read()
    body = request.content.read_nowait()
    if len(body) > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, len(body))
    return body


def _one_line(body: bytes) -> str | None:
    """JSON as it came, if it can be kept so: in printable ASCII. None if it has other octets."""
    text = body.decode("ascii") if body.isascii() else ""
    return text if text and text.isprintable() else None


def _json(value: object) -> web.Response:
    return web.Response(text=to_json(value), content_type="application/json")


def _nests_deeper(value: object, levels: int) -> bool:
    """Whether lists and objects are within one another more than so many levels deep."""
    level = [value]
    for _ in range(levels):
        inside: list[object] = []
        for one in level:
            if isinstance(one, dict):
                inside += one.values()
            elif isinstance(one, list):
                inside += one
        level = [one for one in inside if isinstance(one, dict | list)]
        if not level:
            return False
    return True


def _timestamp(text: str) -> float:
    """The Unix time of a date; without a zone it is UTC.

    Raises:
        ValueError: It is not ISO 8601.
    """
    # A plus sign in a query that was not escaped has become a space.
    at = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    return (at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp()
