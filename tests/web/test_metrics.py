"""What Prometheus reads."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import aiohttp
import pytest
import trustme
from aiohttp.test_utils import TestClient
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from proxy import __version__
from proxy.certs.files import load_pair
from proxy.certs.managed_certificate import ManagedCertificate
from proxy.certs.sources import CertificateSource
from proxy.jupyter.served_jupyter import JupyterPhase
from proxy.observe.measurements import Counts, Now, RouteCounts, RouteNow
from proxy.observe.metrics import PHASES, JupyterState, metrics_of
from proxy.observe.record import Record
from proxy.observe.traffic import Traffic
from proxy.web.metrics import Scrape, make_metrics_app, serve_metrics
from tests.heads import get

Labels = frozenset[tuple[str, str]]
Client = Callable[..., Awaitable["TestClient[Any, Any]"]]
LOOPBACK = "127.0.0.1"


def certificate_of(folder: Path) -> ManagedCertificate:
    """A certificate for lab.example.org in service, good for ten days."""
    end = datetime.now(UTC) + timedelta(days=10)
    leaf = trustme.CA().issue_cert("lab.example.org", not_after=end)
    cert, key = folder / "chain.pem", folder / "key.pem"
    leaf.cert_chain_pems[0].write_to_path(cert)
    leaf.private_key_pem.write_to_path(key)
    return ManagedCertificate(CertificateSource("", "files", cert, key), pair=load_pair(cert, key))


NOTHING = Counts()
RUNNING = JupyterState(answers=True, phase="running", restarts=0)


def scrape_of(
    counts: Counts = NOTHING,
    now: Now = Now(),  # noqa: B008  frozen
    jupyter: JupyterState = RUNNING,
    certificates: Sequence[ManagedCertificate] = (),
) -> Scrape:
    async def scrape() -> list[Metric]:
        return metrics_of(counts, now, jupyter, certificates)

    return scrape


@asynccontextmanager
async def serving(scrape: Scrape) -> AsyncIterator[int]:
    """Serve the metrics; yields the port."""
    listening = socket.create_server((LOOPBACK, 0))
    async with serve_metrics(LOOPBACK, scrape, listening):
        yield listening.getsockname()[1]


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
    async with serving(scrape_of(certificates=[certificate])) as port:
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
    async with serving(scrape_of(traffic.counts)) as port:
        seen = await scraped(port)
    assert seen["labgate_refusals_total", frozenset({("rule", "origin")})] == 2
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
    async with serving(scrape_of()) as port:
        address = f"http://127.0.0.1:{port}{path}"
        async with aiohttp.request(method, address, headers=fields) as answer:
            assert answer.status == status


async def test_the_answers_say_where_the_metrics_are(aiohttp_client: Client) -> None:
    client = await aiohttp_client(make_metrics_app(scrape_of(), "127.0.0.1"))
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


NOW = Now(
    connections=1,
    websockets=2,
    requests=3,
    idle_connections=4,
    busy_connections=5,
    locked_out=6,
    memory_bytes=7,
    loop_lag_seconds=8,
    cached_files=9,
    cached_bytes=10,
)


async def test_what_goes_up_and_down() -> None:
    restarting = JupyterState(answers=False, phase="restarting", restarts=3)
    async with serving(scrape_of(NOTHING, NOW, restarting)) as port:
        seen = await scraped(port)
    for name, value in {
        "labgate_connections": 1,
        "labgate_websockets": 2,
        "labgate_requests_in_progress": 3,
        "labgate_locked_out_addresses": 6,
        "labgate_resident_memory_bytes": 7,
        "labgate_event_loop_lag_seconds": 8,
        "labgate_cached_files": 9,
        "labgate_cached_bytes": 10,
        "labgate_upstream_up": 0,
        "labgate_jupyter_restarts_total": 3,
    }.items():
        assert seen[name, frozenset()] == value, name
    assert seen["labgate_upstream_connections", frozenset({("state", "idle")})] == 4
    assert seen["labgate_upstream_connections", frozenset({("state", "busy")})] == 5
    phases = {name: seen["labgate_jupyter_phase", frozenset({("phase", name)})] for name in PHASES}
    assert phases == {**dict.fromkeys(PHASES, 0), "restarting": 1}
    assert set(get_args(JupyterPhase)) == set(PHASES)
    version = frozenset({("version", __version__)})
    assert seen["labgate_build_info", version] == 1
    assert not [name for name, _ in seen if "certificate" in name], "without TLS there is none"


async def test_what_the_cache_has_done() -> None:
    counts = Counts(lockouts=1, cache_hits=2, cache_saved_bytes=3)
    async with serving(scrape_of(counts)) as port:
        seen = await scraped(port)
    assert seen["labgate_lockouts_total", frozenset()] == 1
    assert seen["labgate_cache_hits_total", frozenset()] == 2
    assert seen["labgate_cache_saved_bytes_total", frozenset()] == 3


async def test_times_and_bytes() -> None:
    traffic = Traffic()
    record = Record(get(), status=200, outcome="forwarded", bytes_up=3, bytes_down=5, seconds=0.2)
    record.sent_up_at, record.request_ended_at = record.started_at + 0.001, record.started_at + 0.1
    record.answered_at = record.started_at + 0.15
    traffic(record)
    traffic(Record(get(), status=421, outcome="refused (host)", seconds=0.0001))
    traffic(Record(get(), status=101, outcome="tunnelled", bytes_up=7, seconds=3600.0))
    async with serving(scrape_of(traffic.counts)) as port:
        seen = await scraped(port)
    assert seen["labgate_bytes_total", frozenset({("direction", "up")})] == 10
    assert seen["labgate_bytes_total", frozenset({("direction", "down")})] == 5
    for name, number, total in (
        ("request", 2, 0.2001),
        ("own", 2, 0.0011),
        ("jupyter", 1, 0.05),
    ):
        metric = f"labgate_{name}_duration_seconds"
        assert seen[f"{metric}_count", frozenset()] == number, "a WebSocket is none"
        assert seen[f"{metric}_sum", frozenset()] == pytest.approx(total)
        assert seen[f"{metric}_bucket", frozenset({("le", "+Inf")})] == number


def test_routes_have_a_label_for_as_long_as_they_are_configured() -> None:
    """A name that is gone must not stay in the series, or reloads would add ever more."""
    counted = RouteCounts({"forwarded 2xx": 3, "failed 5xx": 1}, 10, 20)
    counts = Counts(routes={"ada.example.org/": counted, "gone.example.org/": counted})
    now = Now(routes={"ada.example.org/": RouteNow(1, 0, 2, 3), "gone.example.org/": RouteNow()})
    routes = {"ada.example.org/": True, "bob.example.org/": False}
    made = metrics_of(counts, now, JupyterState(True, "running", 0), (), routes)
    seen = {
        (sample.name, *(f"{key}={value}" for key, value in sorted(sample.labels.items()))): (
            sample.value
        )
        for metric in made
        if metric.name.startswith("labgate_route")
        for sample in metric.samples
    }
    ada = "route=ada.example.org/"
    assert seen == {
        ("labgate_route_up", ada): 1,
        ("labgate_route_up", "route=bob.example.org/"): 0,
        ("labgate_route_requests_total", "outcome=forwarded", ada, "status=2xx"): 3,
        ("labgate_route_requests_total", "outcome=failed", ada, "status=5xx"): 1,
        ("labgate_route_bytes_total", "direction=up", ada): 10,
        ("labgate_route_bytes_total", "direction=down", ada): 20,
        ("labgate_route_websockets", ada): 1,
        ("labgate_route_upstream_connections", ada, "state=idle"): 2,
        ("labgate_route_upstream_connections", ada, "state=busy"): 3,
    }
    without = metrics_of(counts, now, JupyterState(True, "running", 0), ())
    assert not [metric for metric in without if metric.name.startswith("labgate_route")]
