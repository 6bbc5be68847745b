"""The application with the metrics, on a port of its own.

It is an administrator's: nothing of it can be reached by way of the public ports.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from ipaddress import ip_address

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy.rules.authority import host_only
from proxy.web.security import hide_server, security_fields

SHUTDOWN_SECONDS = 0.5

Scrape = Callable[[], Awaitable[list[Metric]]]
"""Makes the metrics of this moment."""


class _Scraped(Collector):
    """Metrics that are there already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def exposed(metrics: Iterable[Metric]) -> web.Response:
    """The response with these metrics in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Scraped(metrics))
    text = generate_latest(registry)
    return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})


def make_metrics_app(scrape: Scrape, host: str) -> web.Application:
    """``GET /metrics`` in Prometheus' text format.

    Args:
        scrape: Called for every request.
        host: The name or address it is served at; others may be a page's that made its own
            name point here (DNS rebinding).
    """

    async def metrics(_request: web.Request) -> web.Response:
        return exposed(await scrape())

    app = web.Application(middlewares=[security_fields, _only_for(host)])
    app.on_response_prepare.append(hide_server)
    app.router.add_get("/metrics", metrics)
    app.router.add_route("*", "/metrics", _method_not_allowed)
    app.router.add_route("*", "/{path:.*}", _not_found)
    return app


@asynccontextmanager
async def serve_metrics(host: str, scrape: Scrape, listening: socket.socket) -> AsyncIterator[None]:
    """Serve the metrics while inside.

    Args:
        host: The name or address it is served at.
        scrape: Makes the metrics.
        listening: A bound socket; it is closed at the end.
    """
    app = make_metrics_app(scrape, host)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS
    )
    try:
        await runner.setup()
        await web.SockSite(runner, listening).start()
        yield
    finally:
        await runner.cleanup()
        listening.close()


def _only_for(configured: str) -> Middleware:
    @web.middleware
    async def check_host(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not _is_own(host_only(request.host.encode("ascii", "replace")), configured):
            return web.Response(status=421, text="There is no such site here.\n")
        return await handler(request)

    return check_host


async def _method_not_allowed(_request: web.Request) -> web.Response:
    return web.Response(status=405, headers={"Allow": "GET, HEAD"})


async def _not_found(_request: web.Request) -> web.Response:
    return web.Response(status=404, text="The metrics are at /metrics.\n")


def _is_own(host: bytes, configured: str) -> bool:
    text = host.decode("ascii", "replace").strip("[]")
    if text.lower() in ("localhost", configured.lower()):
        return True
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
