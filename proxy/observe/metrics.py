"""Metrics for Prometheus, made of measurements at every scrape.

Tested in tests/web/test_metrics.py, with the application that serves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from proxy import __version__
from proxy.certs.managed_certificate import ManagedCertificate
from proxy.observe.measurements import Counts, Histogram, Now

DAY_SECONDS = 86_400.0
NO_ROUTES: Mapping[str, bool] = MappingProxyType({})
PHASES = ("starting", "running", "restarting", "not launched here")


@dataclass(frozen=True, slots=True)
class JupyterState:
    """What is known of Jupyter at a scrape.

    Attributes:
        answers: Whether it answers now.
        phase: One of ``PHASES``.
        restarts: How often labgate has started it again.
    """

    answers: bool
    phase: str
    restarts: int


def metrics_of(
    counts: Counts,
    now: Now,
    jupyter: JupyterState,
    certificates: Sequence[ManagedCertificate],
    routes: Mapping[str, bool] = NO_ROUTES,
) -> list[Metric]:
    """Every metric.

    Args:
        counts: Of all processes.
        now: Of all processes.
        jupyter: What is known of Jupyter.
        certificates: Empty without TLS.
        routes: The names of all routes that there are now, and whether their Jupyters answer;
            empty without ``[[routes]]``.
    """
    return [
        *metrics_of_serving(counts, now, certificates),
        *_of_lockouts(counts, now),
        *_of_cache(counts, now),
        *_of_jupyter(jupyter),
        *(_of_routes(counts, now, routes) if routes else ()),
    ]


def metrics_of_serving(
    counts: Counts, now: Now, certificates: Sequence[ManagedCertificate]
) -> list[Metric]:
    """Those of whatever is served, also of a JupyterHub; the arguments are as above."""
    info = GaugeMetricFamily("labgate_build_info", "Its version.", labels=["version"])
    info.add_metric([__version__], 1)
    return [
        info,
        *_of_traffic(counts),
        *_of_now(now),
        *(_of_certificates(certificates) if certificates else ()),
    ]


def _of_traffic(counts: Counts) -> Iterable[Metric]:
    requests = CounterMetricFamily(
        "labgate_requests",
        "Finished requests, by outcome and class of status (0xx: no response).",
        labels=["outcome", "status"],
    )
    for name, number in counts.requests.items():
        requests.add_metric(name.rsplit(" ", 1), number)
    refusals = CounterMetricFamily(
        "labgate_refusals", "Refused requests, by the rule that refused.", labels=["rule"]
    )
    for rule, number in counts.refusals.items():
        refusals.add_metric([rule], number)
    octets = CounterMetricFamily(
        "labgate_bytes",
        "Content, and everything that WebSockets carry, up to Jupyter and down to clients; that of "
        "a request or WebSocket counts when it ends.",
        labels=["direction"],
    )
    octets.add_metric(["up"], counts.bytes_up)
    octets.add_metric(["down"], counts.bytes_down)
    return [
        requests,
        refusals,
        octets,
        _histogram("request", "From a request's head to the end of its response.", counts.whole),
        _histogram(
            "own", "labgate's part: until a request goes up, or is answered here.", counts.own
        ),
        _histogram(
            "jupyter",
            "Jupyter's part: from the end of a request to the head of its response.",
            counts.jupyter,
        ),
    ]


def _histogram(name: str, text: str, histogram: Histogram) -> Metric:
    return HistogramMetricFamily(
        f"labgate_{name}_duration_seconds",
        f"{text} Without WebSockets.",
        buckets=histogram.cumulative(),
        sum_value=histogram.total_seconds,
    )


def _of_now(now: Now) -> Iterable[Metric]:
    pool = GaugeMetricFamily(
        "labgate_upstream_connections",
        "Connections to Jupyter, WebSockets not counted.",
        labels=["state"],
    )
    pool.add_metric(["idle"], now.idle_connections)
    pool.add_metric(["busy"], now.busy_connections)
    gauges: list[tuple[str, str, float]] = [
        ("connections", "Open connections of clients.", now.connections),
        ("websockets", "Open WebSockets.", now.websockets),
        (
            "requests_in_progress",
            "Requests without a complete response, WebSockets not counted.",
            now.requests,
        ),
        ("resident_memory_bytes", "Resident memory of all processes.", now.memory_bytes),
        (
            "event_loop_lag_seconds",
            "The longest delay of an event loop within the last minute.",
            now.loop_lag_seconds,
        ),
    ]
    return [
        pool,
        *(GaugeMetricFamily(f"labgate_{name}", text, value) for name, text, value in gauges),
    ]


def _of_lockouts(counts: Counts, now: Now) -> Iterable[Metric]:
    return [
        CounterMetricFamily(
            "labgate_lockouts", "Addresses that were locked out.", value=counts.lockouts
        ),
        GaugeMetricFamily(
            "labgate_locked_out_addresses", "Addresses that are locked out.", now.locked_out
        ),
    ]


def _of_cache(counts: Counts, now: Now) -> Iterable[Metric]:
    return [
        CounterMetricFamily(
            "labgate_cache_hits",
            "Requests for static files that Jupyter was not asked about.",
            value=counts.cache_hits,
        ),
        CounterMetricFamily(
            "labgate_cache_saved_bytes",
            "How many fewer bytes their clients got than Jupyter would have sent.",
            value=counts.cache_saved_bytes,
        ),
        GaugeMetricFamily(
            "labgate_cached_files", "Static files that are kept in memory.", now.cached_files
        ),
        GaugeMetricFamily("labgate_cached_bytes", "What they take.", now.cached_bytes),
    ]


def _of_routes(counts: Counts, now: Now, routes: Mapping[str, bool]) -> Iterable[Metric]:
    """What belongs to each of several routes; those that are gone have no series any more."""
    up = GaugeMetricFamily(
        "labgate_route_up", "1: its Jupyter answers a probe at this moment.", labels=["route"]
    )
    requests = CounterMetricFamily(
        "labgate_route_requests",
        "Finished requests of a route, by outcome and class of status.",
        labels=["route", "outcome", "status"],
    )
    octets = CounterMetricFamily(
        "labgate_route_bytes",
        "As labgate_bytes, of a route.",
        labels=["route", "direction"],
    )
    websockets = GaugeMetricFamily(
        "labgate_route_websockets", "Open WebSockets of a route.", labels=["route"]
    )
    pool = GaugeMetricFamily(
        "labgate_route_upstream_connections",
        "Connections to a route's Jupyter, WebSockets not counted.",
        labels=["route", "state"],
    )
    for name, answers in routes.items():
        up.add_metric([name], answers)
        counted, measured = counts.routes.get(name), now.routes.get(name)
        if counted is not None:
            for kind, number in counted.requests.items():
                requests.add_metric([name, *kind.rsplit(" ", 1)], number)
            octets.add_metric([name, "up"], counted.bytes_up)
            octets.add_metric([name, "down"], counted.bytes_down)
        if measured is not None:
            websockets.add_metric([name], measured.websockets)
            pool.add_metric([name, "idle"], measured.idle_connections)
            pool.add_metric([name, "busy"], measured.busy_connections)
    return [up, requests, octets, websockets, pool]


def _of_jupyter(jupyter: JupyterState) -> Iterable[Metric]:
    phase = GaugeMetricFamily(
        "labgate_jupyter_phase", "1 for what the launched Jupyter is doing.", labels=["phase"]
    )
    for name in PHASES:
        phase.add_metric([name], float(name == jupyter.phase))
    return [
        GaugeMetricFamily(
            "labgate_upstream_up", "1: Jupyter answers a probe at this moment.", jupyter.answers
        ),
        phase,
        CounterMetricFamily(
            "labgate_jupyter_restarts", "How often it was started again.", jupyter.restarts
        ),
    ]


def _of_certificates(certificates: Sequence[ManagedCertificate]) -> Iterable[Metric]:
    """The state of the certificates, as in ``labgate cert show``."""
    expiry = _of_each("expiry_timestamp_seconds", "When it expires, Unix time.")
    left = _of_each("days_left", "Days until it expires.")
    problem = _of_each(
        "problem", "1: its files or its renewal have a fault; `labgate cert show` tells it."
    )
    reason = GaugeMetricFamily(
        "labgate_certificate_problem_info", "What is wrong.", labels=["name", "reason"]
    )
    temporary = _of_each("temporary", "1: self-signed, until the real one is there.")
    renewal = _of_each("next_renewal_timestamp_seconds", "When labgate renews it.")
    now = datetime.now(UTC)
    for certificate in certificates:
        name = [certificate.name]
        wrong = certificate.fault or certificate.last_error
        problem.add_metric(name, float(bool(wrong)))
        if wrong:
            reason.add_metric([*name, wrong], 1)
        temporary.add_metric(name, float(certificate.temporary))
        if certificate.pair is not None:
            expires = certificate.pair.not_after
            expiry.add_metric(name, expires.timestamp())
            left.add_metric(name, (expires - now).total_seconds() / DAY_SECONDS)
        if certificate.next_renewal is not None:
            renewal.add_metric(name, certificate.next_renewal.timestamp())
    return [expiry, left, problem, reason, temporary, renewal]


def _of_each(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"labgate_certificate_{name}", text, labels=["name"])
