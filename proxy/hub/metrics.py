"""Metrics for Prometheus: under the names of configurable-http-proxy, and labgate's own.

Tested by tests/hub/test_contract_flags.py and tests/hub/test_metrics.py.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from typing import Any

from aiohttp import web
from prometheus_client.metrics_core import GaugeMetricFamily, Metric

from proxy.hub.api import ApiCounts
from proxy.hub.counts import HubCounts
from proxy.web.metrics import exposed
from proxy.web.security import hide_server


def chp_metrics(api: ApiCounts, counts: HubCounts) -> Iterator[Metric]:
    """What configurable-http-proxy exports, with its names and without a suffix.

    Args:
        api: What the API was asked for.
        counts: Of all processes.
    """
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


def number_of_routes(routes: int) -> Metric:
    """Labgate's own beside those of ``observe.metrics``."""
    return GaugeMetricFamily("labgate_routes", "Routes of the Hub.", routes)


def make_hub_metrics_app(collect: Callable[[], Awaitable[Iterable[Metric]]]) -> web.Application:
    """``GET /metrics`` for any Host: a cluster's Prometheus comes by name or by address.

    Args:
        collect: Makes the metrics at every scrape.
    """

    async def metrics(_request: web.Request) -> web.Response:
        return exposed(await collect())

    app = web.Application()
    app.on_response_prepare.append(hide_server)
    app.router.add_get("/metrics", metrics)
    return app


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
