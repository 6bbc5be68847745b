"""Metrics for Prometheus, computed at every scrape.

Tested in tests/web/test_metrics.py, with the application that serves them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from proxy import __version__
from proxy.certs.managed_certificate import ManagedCertificate
from proxy.observe.traffic import Gauges, Traffic

DAY_SECONDS = 86_400.0


class CertificateMetrics(Collector):
    """The state of the certificates, as in ``labgate cert show``."""

    def __init__(self, certificates: Sequence[ManagedCertificate]) -> None:
        self._certificates = certificates

    def collect(self) -> Iterable[Metric]:
        expiry = _of_certificates("expiry_timestamp_seconds", "When it expires, Unix time.")
        left = _of_certificates("days_left", "Days until it expires.")
        problem = _of_certificates(
            "problem", "1: its files or its renewal have a fault; `labgate cert show` tells it."
        )
        reason = GaugeMetricFamily(
            "labgate_certificate_problem_info", "What is wrong.", labels=["name", "reason"]
        )
        temporary = _of_certificates("temporary", "1: self-signed, until the real one is there.")
        renewal = _of_certificates("next_renewal_timestamp_seconds", "When labgate renews it.")
        now = datetime.now(UTC)
        for certificate in self._certificates:
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


class TrafficMetrics(Collector):
    """Connections and requests of this process."""

    def __init__(self, traffic: Traffic, gauges: Gauges) -> None:
        self._traffic = traffic
        self._gauges = gauges

    def collect(self) -> Iterable[Metric]:
        for name, (text, read) in self._gauges.items():
            yield GaugeMetricFamily(f"labgate_{name}", text, read())
        requests = CounterMetricFamily(
            "labgate_requests",
            "Finished requests, by outcome and class of status (0xx: no response).",
            labels=["outcome", "status"],
        )
        for (outcome, digit), number in self._traffic.requests.items():
            requests.add_metric([outcome, f"{digit}xx"], number)
        yield requests


class BuildMetrics(Collector):
    """The version of labgate."""

    def collect(self) -> Iterable[Metric]:
        info = GaugeMetricFamily("labgate_build_info", "Its version.", labels=["version"])
        info.add_metric([__version__], 1)
        return [info]


def collectors_of(
    certificates: Sequence[ManagedCertificate], traffic: Traffic | None, gauges: Gauges
) -> list[Collector]:
    """The collectors to export.

    Args:
        certificates: Empty without TLS.
        traffic: None where other processes count it (the workers of ``--workers``).
        gauges: Read at every scrape, beside ``traffic``.
    """
    collectors: list[Collector] = [BuildMetrics()]
    if certificates:
        collectors.append(CertificateMetrics(certificates))
    if traffic is not None:
        collectors.append(TrafficMetrics(traffic, gauges))
    return collectors


def _of_certificates(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"labgate_certificate_{name}", text, labels=["name"])
