"""Metrics for Prometheus: under the names of configurable-http-proxy, and labgate's own.

Tested by tests/hub/test_contract_flags.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy.hub.api import ApiCounts
from proxy.hub.counts import Measured
from proxy.web.security import hide_server

GAUGES = {
    "connections": "Open connections.",
    "tunnels": "Open WebSockets.",
    "requests_in_progress": "Requests without a complete response, WebSockets not counted.",
    "upstream_connections": "Connections to targets, idle or busy, WebSockets not counted.",
}


class _Of(Collector):
    """Metrics that are there already."""

    def __init__(self, metrics: Iterable[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        return self._metrics


def hub_metrics(api: ApiCounts, measured: Measured, routes: int) -> Iterator[Metric]:
    """What configurable-http-proxy exports, with its names and without a suffix; and more.

    Args:
        api: What the API was asked for.
        measured: Of all processes.
        routes: How many there are.
    """
    counts = measured.counts
    yield _count("api_route_get", "Times that all routes were listed.", api.listed)
    yield _count("api_route_add", "Routes that were added.", api.added)
    yield _count("api_route_delete", "Routes that were removed.", api.removed)
    yield _count("requests_ws", "WebSocket handshakes.", counts.websockets)
    yield _count("requests_web", "Other requests.", counts.web)
    yield _counts("requests_proxy", "Responses of the proxy.", counts.statuses)
    yield _counts("requests_api", "Responses of the API.", api.statuses)
    summary = Metric("find_target_for_req", "Look-ups of a route, in seconds.", "summary")
    summary.add_sample("find_target_for_req_count", {}, counts.look_ups)
    summary.add_sample("find_target_for_req_sum", {}, counts.look_up_seconds)
    yield summary
    yield _gauge("routes", "Routes.", routes)
    for name, text in GAUGES.items():
        yield _gauge(name, text, getattr(measured.now, name))


def make_hub_metrics_app(collect: Callable[[], Awaitable[Iterable[Metric]]]) -> web.Application:
    """``GET /metrics`` for any Host: a cluster's Prometheus comes by name or by address.

    Args:
        collect: Makes the metrics at every scrape.
    """

    async def metrics(_request: web.Request) -> web.Response:
        registry = CollectorRegistry(auto_describe=False)
        registry.register(_Of(list(await collect())))
        text = generate_latest(registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.on_response_prepare.append(hide_server)
    app.router.add_get("/metrics", metrics)
    return app


def _gauge(name: str, text: str, value: int) -> Metric:
    gauge = Metric(f"labgate_{name}", text, "gauge")
    gauge.add_sample(f"labgate_{name}", {}, value)
    return gauge


def _count(name: str, text: str, value: int) -> Metric:
    metric = _without_suffix(name, text)
    metric.add_sample(name, {}, value)
    return metric


def _counts(name: str, text: str, by_status: Mapping[Any, int]) -> Metric:
    metric = _without_suffix(name, text)
    for status, value in by_status.items():
        metric.add_sample(name, {"status": str(status)}, value)
    return metric


def _without_suffix(name: str, text: str) -> Metric:
    # As "counter" the library would append _total to the name.
    return Metric(name, text, "unknown")
