"""What Prometheus reads."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import trustme
from prometheus_client.parser import text_string_to_metric_families

from proxy.certs.files import load_pair
from proxy.certs.managed_certificate import ManagedCertificate
from proxy.certs.sources import Source
from proxy.errors import StartError
from proxy.observe.metrics import CertificateMetrics, TrafficMetrics, serve_metrics
from proxy.observe.record import Record
from proxy.observe.traffic import Traffic
from tests.heads import get

Labels = frozenset[tuple[str, str]]
LOOPBACK = ("127.0.0.1", 0)


def entry_of(folder: Path) -> ManagedCertificate:
    """A certificate for lab.example.org in service, good for ten days."""
    end = datetime.now(UTC) + timedelta(days=10)
    leaf = trustme.CA().issue_cert("lab.example.org", not_after=end)
    cert, key = folder / "chain.pem", folder / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(cert)
    leaf.private_key_pem.write_to_path(key)
    return ManagedCertificate(Source("", "files", cert, key), pair=load_pair(cert, key))


async def scraped(port: int) -> Mapping[tuple[str, Labels], float]:
    """Every sample, by its name and labels."""
    async with aiohttp.request("GET", f"http://127.0.0.1:{port}/metrics") as answer:
        assert answer.status == 200
        assert answer.content_type == "text/plain"
        text = await answer.text()
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def test_certificates(tmp_path: Path) -> None:
    entry = entry_of(tmp_path)
    of = frozenset({("name", "lab.example.org")})
    async with serve_metrics(LOOPBACK, [CertificateMetrics([entry])]) as port:
        seen = await scraped(port)
        assert seen["labgate_certificate_days_left", of] == pytest.approx(10, abs=0.1)
        assert entry.pair is not None
        expiry = entry.pair.not_after.timestamp()
        assert seen["labgate_certificate_expiry_timestamp_seconds", of] == expiry
        assert seen["labgate_certificate_problem", of] == 0
        assert seen["labgate_certificate_temporary", of] == 0
        assert ("labgate_certificate_next_renewal_timestamp_seconds", of) not in seen
        entry.fault = "chain.pem is not a PEM certificate."
        assert (await scraped(port))["labgate_certificate_problem", of] == 1
        entry.fault, entry.last_error = "", "the CA does not answer"
        entry.next_renewal = datetime(2026, 12, 1, tzinfo=UTC)
        seen = await scraped(port)
        assert seen["labgate_certificate_problem", of] == 1
        why = of | {("reason", "the CA does not answer")}
        assert seen["labgate_certificate_problem_info", why] == 1
        next_renewal = entry.next_renewal.timestamp()
        assert seen["labgate_certificate_next_renewal_timestamp_seconds", of] == next_renewal


RECORDS = [
    ("forwarded", 200, ("forwarded", "2xx")),
    ("forwarded", 404, ("forwarded", "4xx")),
    ("tunnelled", 101, ("tunnelled", "1xx")),
    ("refused (origin)", 403, ("refused", "4xx")),
    ("127.0.0.1:8888: Connection refused", 503, ("failed", "5xx")),
    ("the client went away", 0, ("failed", "0xx")),
]


async def test_traffic() -> None:
    traffic = Traffic()
    for outcome, status, _ in RECORDS:
        traffic(Record(get(), status=status, outcome=outcome))
        traffic(Record(get(), status=status, outcome=outcome))
    gauges = {"connections": ("Open connections.", lambda: 7)}
    async with serve_metrics(LOOPBACK, [TrafficMetrics(traffic, gauges)]) as port:
        seen = await scraped(port)
    assert seen["labgate_connections", frozenset()] == 7
    for _, _, (outcome, digits) in RECORDS:
        labels = frozenset({("outcome", outcome), ("status", digits)})
        assert seen["labgate_exchanges_total", labels] == 2


REFUSED = [
    ("/", "GET", {}, 404),
    ("/metrics", "POST", {}, 405),
    ("/metrics", "GET", {"Host": "rebound.example"}, 421),
    ("/metrics", "GET", {"Host": "localhost:9464"}, 200),
]


@pytest.mark.parametrize(("path", "method", "fields", "status"), REFUSED)
async def test_nothing_else_is_there(
    path: str, method: str, fields: dict[str, str], status: int
) -> None:
    async with serve_metrics(LOOPBACK, []) as port:
        address = f"http://127.0.0.1:{port}{path}"
        async with aiohttp.request(method, address, headers=fields) as answer:
            assert answer.status == status


async def test_a_taken_port_is_said() -> None:
    async with serve_metrics(LOOPBACK, []) as port:
        with pytest.raises(StartError, match=r"is taken.*--metrics"):
            async with serve_metrics(("127.0.0.1", port), []):
                pass
