"""The fronts that clients can meet, and the one that this run of the tests is about."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from proxy.http1.server import Http1Server
from proxy.messages import Dispatch
from proxy.net.limits import Limits
from proxy.web.front.handler import ProxyHandler
from proxy.web.front.server import AiohttpServer, server_options
from tests.http2.gateway import Gateway


class Mounted:
    """labgate as a route of an application of somebody else's, as in ``proxy.mount``.

    Args:
        options: Of the application's server; by default ``server_options()``.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        limits: Limits,
        plain_redirects: bool,
        options: dict[str, Any] | None = None,
    ) -> None:
        assert not plain_redirects, "a server of somebody else's has its own redirects"
        options = server_options(limits) if options is None else options
        self._handler = ProxyHandler(dispatch, limits)
        app = web.Application()
        self._handler.add_to(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0, **options)

    async def start(self) -> None:
        """Start the application."""
        await self._runner.setup()

    @property
    def _server(self) -> web.Server:
        assert self._runner.server is not None, "it was not started"
        return self._runner.server

    def __call__(self) -> asyncio.Protocol:
        return self._server()

    @property
    def connected(self) -> bool:
        """Whether the server has a client's connection that it did not lose yet."""
        return any(one.transport is not None for one in self._server.connections)

    async def enforce_timeouts(self) -> None:
        await self._handler.enforce_timeouts()

    async def shutdown(self, timeout: float) -> None:
        await self._server.shutdown(timeout)
        await self._runner.cleanup()


FRONTS: dict[str, Callable[..., Any]] = {
    "labgate": Http1Server,
    "http2": Gateway,
    "aiohttp": AiohttpServer,
    "mounted": Mounted,
}


_CHOSEN = ["labgate"]


def choose(name: str) -> None:
    """Take the front that ``--front`` names."""
    _CHOSEN[0] = name


def front() -> str:
    """That of this run; by default labgate's own protocol."""
    return _CHOSEN[0]
