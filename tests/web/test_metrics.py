"""What Prometheus reads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp.test_utils import TestClient
from prometheus_client.parser import text_string_to_metric_families

from proxy import __version__
from proxy.certs.files import load_pair
from proxy.certs.managed_certificate import ManagedCertificate
from proxy.certs.sources import CertificateSource
from proxy.errors import StartError
from proxy.observe.metrics import CertificateMetrics, TrafficMetrics, collectors_of
from proxy.observe.record import Record
from proxy.observe.traffic import Traffic
from proxy.web.metrics import make_metrics_app, serve_metrics
from tests.heads import get

Labels = frozenset[tuple[str, str]]
Client = Callable[..., Awaitable["TestClient[Any, Any]"]]
LOOPBACK = ("127.0.0.1", 0)


def certificate_of(folder: Path) -> ManagedCertificate:
    """A certificate for lab.example.org in service, good for ten days."""
    end = datetime.now(UTC) + timedelta(days=10)
    leaf = trustme.CA().issue_cert("lab.example.org", not_after=end)
    cert, key = folder / "chain.pem", folder / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(cert)
    leaf.private_key_pem.write_to_path(key)
    return ManagedCertificate(CertificateSource("", "files", cert, key), pair=load_pair(cert, key))


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
    certificate = certificate_of(tmp_path)
    of = frozenset({("name", "lab.example.org")})
    async with serve_metrics(LOOPBACK, [CertificateMetrics([certificate])]) as port:
        seen = await scraped(port)
        assert seen["labgate_certificate_days_left", of] == pytest.approx(10, abs=0.1)
        assert certificate.pair is not None
        expiry = certificate.pair.not_after.timestamp()
        assert seen["labgate_certificate_expiry_timestamp_seconds", of] == expiry
        assert seen["labgate_certificate_problem", of] == 0
        assert seen["labgate_certificate_temporary", of] == 0
        assert ("labgate_certificate_next_renewal_timestamp_seconds", of) not in seen
        certificate.fault = "chain.pem is not a PEM certificate."
        assert (await scraped(port))["labgate_certificate_problem", of] == 1
        certificate.fault, certificate.last_error = "", "the CA does not answer"
        certificate.next_renewal = datetime(2026, 12, 1, tzinfo=UTC)
        seen = await scraped(port)
        assert seen["labgate_certificate_problem", of] == 1
        why = of | {("reason", "the CA does not answer")}
        assert seen["labgate_certificate_problem_info", why] == 1
        next_renewal = certificate.next_renewal.timestamp()
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
        assert seen["labgate_requests_total", labels] == 2


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


async def test_the_answers_say_where_the_metrics_are(aiohttp_client: Client) -> None:
    client = await aiohttp_client(make_metrics_app(collectors_of((), None, {}), "127.0.0.1"))
    elsewhere = await client.get("/")
    assert await elsewhere.text() == "The metrics are at /metrics.\n"
    posted = await client.post("/metrics")
    assert posted.headers["Allow"] == "GET, HEAD"
    rebound = await client.get("/metrics", headers={"Host": "rebound.example"})
    assert await rebound.text() == "There is no such site here.\n"
    assert (await client.head("/metrics")).status == 200
    for answer in (elsewhere, posted, rebound):
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers


async def test_the_version_is_exported_where_there_is_nothing_else() -> None:
    async with serve_metrics(LOOPBACK, collectors_of((), None, {})) as port:
        seen = await scraped(port)
    assert seen == {("labgate_build_info", frozenset({("version", __version__)})): 1}


async def test_certificates_and_traffic_are_exported_where_there_are_any(tmp_path: Path) -> None:
    certificates = [certificate_of(tmp_path)]
    gauges = {"connections": ("Open connections.", lambda: 7)}
    async with serve_metrics(LOOPBACK, collectors_of(certificates, Traffic(), gauges)) as port:
        seen = await scraped(port)
    names = {name for name, _ in seen}
    assert {"labgate_certificate_days_left", "labgate_connections"} <= names


async def test_a_taken_port_is_named() -> None:
    async with serve_metrics(LOOPBACK, []) as port:
        with pytest.raises(StartError, match=r"is taken.*--metrics"):
            async with serve_metrics(("127.0.0.1", port), []):
                pass
