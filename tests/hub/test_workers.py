"""Several processes with one table of routes: what each knows, and what is summed."""

from __future__ import annotations

import os
import pickle
import signal
from base64 import b64decode
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from proxy.hub.options import Endpoint, HubOptions, TlsFiles
from proxy.hub.worker import setup_message
from proxy.inspector.exchange import Exchange
from proxy.inspector.filters import parse_filter
from proxy.inspector.recorder import CaptureOptions
from proxy.net.ports import Ports
from proxy.rules.head import Arrival, RequestHead
from tests.certificates import pair
from tests.e2e.programs import until
from tests.hub.over_tls import serial
from tests.hub.running import ProxyThread, RawWebSocket, echo_target, in_thread, unused_port
from tests.hub.test_metrics import scraped

WORKERS = 2
SPREAD = 12
"""New connections, which the kernel spreads over the workers by the client's port."""


@pytest.fixture(scope="module")
def target() -> Iterator[str]:
    with echo_target() as url:
        yield url


@pytest.fixture(scope="module")
def metrics_port() -> int:
    return unused_port()


@pytest.fixture(scope="module")
def proxy(metrics_port: int) -> Iterator[ProxyThread]:
    flags = ("--metrics-ip", "127.0.0.1", "--metrics-port", str(metrics_port))
    with in_thread("--workers", str(WORKERS), *flags) as running:
        yield running


def pids(proxy: ProxyThread) -> set[int]:
    """The workers that answer."""
    reports = proxy.call(proxy.hub.reports)
    return {report.pid for role, report in reports if role == "worker" and report.answers}


def test_a_worker_gets_no_secret_of_the_api() -> None:
    """It does not serve it, and a fault in it should tell nothing of it."""
    here = Endpoint(("127.0.0.1",), 0)
    tls = TlsFiles(Path("/cert"), Path("/key"), passphrase="the passphrase")
    options = HubOptions(public=here, api=here, token="the token", api_tls=tls)
    given = b64decode(setup_message(options, Ports([], []), Ports([], []))["options"])
    assert b"the token" not in given
    assert b"the passphrase" not in given
    assert pickle.loads(given).public == here


def test_a_worker_of_another_version_gets_options_by_their_names() -> None:
    """By position, as slots are pickled, it would take one for another, and say nothing."""
    here = Endpoint(("127.0.0.1",), 0)
    tls = TlsFiles(Path("/cert"), Path("/key"), ca=Path("/ca"), require_cert=True)
    options = HubOptions(here, here, tls=tls, custom_headers=((b"A", b"b"),))
    given = b64decode(setup_message(options, Ports([], []), Ports([], []))["options"])
    assert pickle.loads(given) == options
    assert given.count(b"require_cert") == given.count(b"custom_headers") == 1


def test_an_acknowledged_route_is_known_to_every_worker(proxy: ProxyThread, target: str) -> None:
    assert len(pids(proxy)) == WORKERS
    for number in range(5):
        path = f"/user/u{number}"
        assert proxy.api("POST", path, {"target": target}).status == 201
        assert {proxy.get(path).status for _ in range(SPREAD)} == {200}
        assert proxy.api("DELETE", path).status == 204
        assert {proxy.get(path).status for _ in range(SPREAD)} == {404}


def test_activity_is_the_newest_of_all(proxy: ProxyThread, target: str) -> None:
    proxy.api("POST", "/x", {"target": target})
    # Open in some worker; the next request may be another's.
    opened = RawWebSocket(proxy.port, "/x")
    for use in [lambda: opened.say(b"data"), *[lambda: proxy.get("/x")] * 4]:
        before = proxy.api("GET", "/x").json["last_activity"]
        until(
            lambda use=use, before=before: (  # type: ignore[misc]
                use() and proxy.api("GET", "/x").json["last_activity"] > before
            ),
            "no activity",
        )
    opened.close()
    proxy.api("DELETE", "/x")


@pytest.mark.deployment
def test_a_certificate_is_replaced_in_every_worker(tmp_path: Path) -> None:
    cert, key = pair(tmp_path, "localhost")
    flags = ["--ssl-cert", str(cert), "--ssl-key", str(key), "--workers", str(WORKERS)]
    with in_thread(*flags) as proxy:
        (before,) = {serial(proxy.port) for _ in range(SPREAD)}
        pair(tmp_path, "localhost")
        proxy.call(proxy.hub.reload)
        until(
            lambda: before not in {serial(proxy.port) for _ in range(SPREAD)},
            "a worker has the old one",
        )


def test_the_inspector_shows_what_passes_in_every_worker(proxy: ProxyThread, target: str) -> None:
    inspector = proxy.hub.inspector
    proxy.api("POST", "/user/ada", {"target": target})
    opened = [RawWebSocket(proxy.port, "/user/ada/before") for _ in range(SPREAD)]
    proxy.call(lambda: inspector.switch(CaptureOptions()))

    def shown(words: str) -> list[Exchange]:
        matches = parse_filter(words)
        found: list[Exchange] = proxy.call(lambda: [one for one in inspector.ring if matches(one)])
        return found

    proxy.call(inspector.in_force)
    until(lambda: len(shown("is:ws route:/user/ada")) == SPREAD, "not all are shown")
    assert {proxy.get("/user/ada/x").status for _ in range(SPREAD)} == {200}
    assert proxy.get("/nowhere").status == 404
    until(lambda: len(shown("path:/user/ada/x")) == SPREAD, "not all are shown")
    assert {one.route for one in shown("path:/user")} == {"/user/ada"}
    until(lambda: [one.route for one in shown("path:/nowhere")] == [""], "it is not shown")

    again = RequestHead(
        b"GET", b"/user/ada/again", (1, 1), ((b"Host", b"hub"),), Arrival("127.0.0.1")
    )
    number = proxy.call(lambda: proxy.hub.replay(again, b""))
    sent = proxy.call(lambda: inspector.ring.get(number))
    assert (sent.status, sent.route, sent.target) == (200, "/user/ada", "/user/ada/again")

    proxy.call(lambda: inspector.switch(None))
    for one in opened:
        one.close()
    proxy.api("DELETE", "/user/ada")


@pytest.mark.deployment
def test_what_the_inspector_shows_when_a_worker_is_killed(proxy: ProxyThread, target: str) -> None:
    """What was open there has ended, and the worker in its place captures, too."""
    inspector = proxy.hub.inspector
    proxy.api("POST", "/user/ada", {"target": target})
    proxy.call(lambda: inspector.switch(CaptureOptions()))

    def shown(words: str) -> list[Exchange]:
        matches = parse_filter(words)
        found: list[Exchange] = proxy.call(lambda: [one for one in inspector.ring if matches(one)])
        return found

    proxy.call(inspector.in_force)
    sockets = [RawWebSocket(proxy.port, "/user/ada/socket") for _ in range(SPREAD)]
    until(lambda: len(shown("path:/user/ada/socket is:open")) == SPREAD, "not all are shown")
    killed = min(pids(proxy))
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in pids(proxy) and len(pids(proxy)) == WORKERS, "no new worker")
    ended = [one for one in shown("path:/user/ada/socket") if not one.open]
    assert {one.outcome for one in ended} == {"its worker process ended"}
    alive = [one for one in sockets if echoes(one)]
    assert len(alive) + len(ended) == SPREAD
    assert {proxy.get("/user/ada/new").status for _ in range(SPREAD)} == {200}
    until(lambda: len(shown("path:/user/ada/new")) == SPREAD, "not all are shown")
    proxy.call(lambda: inspector.switch(None))
    for one in sockets:
        one.close()
    proxy.api("DELETE", "/user/ada")


def echoes(opened: RawWebSocket) -> bool:
    with suppress(OSError):
        return opened.say(b"data") == b"data"
    return False


@pytest.mark.deployment
def test_metrics_are_the_sums_and_routes_outlive_a_worker(
    proxy: ProxyThread, target: str, metrics_port: int
) -> None:
    for name in ("a", "b", "c"):
        proxy.api("POST", f"/{name}", {"target": target, "name": name})
    before = scraped(metrics_port)
    opened = [RawWebSocket(proxy.port, "/a") for _ in range(SPREAD)]
    assert {proxy.get("/b").status for _ in range(SPREAD)} == {200}
    after = scraped(metrics_port)
    assert after["requests_web"] - before["requests_web"] == SPREAD
    assert after["requests_ws"] - before["requests_ws"] == SPREAD
    assert after["labgate_websockets"] == SPREAD
    assert after["labgate_request_duration_seconds_count"] >= SPREAD
    assert after["labgate_resident_memory_bytes"] > WORKERS * 10_000_000
    assert after["labgate_event_loop_lag_seconds"] >= 0
    assert after["labgate_routes"] == len(proxy.api("GET").json) == 3
    for one in opened:
        one.close()

    (killed, *_) = old = pids(proxy)
    os.kill(killed, signal.SIGKILL)
    until(lambda: killed not in pids(proxy), "it lives")
    assert proxy.api("POST", "/d", {"target": target}).status == 201
    until(lambda: len(pids(proxy)) == WORKERS, "no new worker")
    assert pids(proxy) != old
    for name in ("a", "b", "c", "d"):
        assert {proxy.get(f"/{name}").status for _ in range(SPREAD)} == {200}
    again = scraped(metrics_port)
    for name in ("requests_web", 'labgate_requests_total{outcome="forwarded",status="2xx"}'):
        assert again[name] >= after[name], "what the killed one had told counts on"
