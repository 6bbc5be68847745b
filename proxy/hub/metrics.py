"""Metrics for Prometheus: under the names of configurable-http-proxy, and labgate's own.

Tested by tests/hub/test_contract.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from proxy.hub.api import ApiCounts
from proxy.hub.router import LookUps
from proxy.observe.record import Record
from proxy.rules.hub_requests import HEALTH
from proxy.web.security import hide_server


class ProxyCounts:
    """Counts requests as configurable-http-proxy does (an ``Observer``).

    Attributes:
        web: Requests that are no WebSockets.
        websockets: Handshakes.
        statuses: Responses that came from a target or were an error, by status.
    """

    def __init__(self) -> None:
        self.web = 0
        self.websockets = 0
        self.statuses: Counter[int] = Counter()

    def begun(self, record: Record) -> None:
        """A request came; tunnels drop their fields later."""
        if record.head.target == HEALTH:
            return
        if record.head.values(b"sec-websocket-version"):
            self.websockets += 1
        else:
            self.web += 1

    def ended(self, record: Record) -> None:
        """A request has its response."""
        if record.status and record.head.target != HEALTH:
            self.statuses[record.status] += 1


class HubMetrics(Collector):
    """What configurable-http-proxy exports, with its names and without a suffix."""

    def __init__(
        self,
        proxied: ProxyCounts,
        api: ApiCounts,
        look_ups: LookUps,
        gauges: Mapping[str, tuple[str, Callable[[], int]]],
    ) -> None:
        self._proxied = proxied
        self._api = api
        self._look_ups = look_ups
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        api, proxied, look_ups = self._api, self._proxied, self._look_ups
        yield _count("api_route_get", "Times that all routes were listed.", api.listed)
        yield _count("api_route_add", "Routes that were added.", api.added)
        yield _count("api_route_delete", "Routes that were removed.", api.removed)
        yield _count("requests_ws", "WebSocket handshakes.", proxied.websockets)
        yield _count("requests_web", "Other requests.", proxied.web)
        yield _counts("requests_proxy", "Responses of the proxy.", proxied.statuses)
        yield _counts("requests_api", "Responses of the API.", api.statuses)
        summary = Metric("find_target_for_req", "Look-ups of a route, in seconds.", "summary")
        summary.add_sample("find_target_for_req_count", {}, look_ups.count)
        summary.add_sample("find_target_for_req_sum", {}, look_ups.seconds)
        yield summary
        for name, (text, read) in self._gauges.items():
            gauge = Metric(f"labgate_{name}", text, "gauge")
            gauge.add_sample(f"labgate_{name}", {}, read())
            yield gauge


def make_hub_metrics_app(collectors: Iterable[Collector]) -> web.Application:
    """``GET /metrics`` for any Host: a cluster's Prometheus comes by name or by address.

    Args:
        collectors: Read at every scrape.
    """
    registry = CollectorRegistry(auto_describe=False)
    for collector in collectors:
        registry.register(collector)

    async def metrics(_request: web.Request) -> web.Response:
        text = generate_latest(registry)
        return web.Response(body=text, headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.on_response_prepare.append(hide_server)
    app.router.add_get("/metrics", metrics)
    return app


def _count(name: str, text: str, value: int) -> Metric:
    return _counts(name, text, {None: value})


def _counts(name: str, text: str, values: Mapping[int | None, int] | Counter[int]) -> Metric:
    # As "counter" the library would append _total to the name.
    metric = Metric(name, text, "unknown")
    for status, value in values.items():
        metric.add_sample(name, {} if status is None else {"status": str(status)}, value)
    return metric
