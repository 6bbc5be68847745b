"""What Prometheus reads of a hub's proxy beside configurable-http-proxy's metrics."""

from __future__ import annotations

import re
from pathlib import Path

from proxy import __version__
from tests.certificates import pair
from tests.hub.over_tls import https, trusting
from tests.hub.running import ask, echo_target, in_thread, unused_port
from tests.observe.test_dashboards import shown

NOT_OF_A_HUB = re.compile(
    "labgate_(cache|cached|jupyter_phase|jupyter_restarts|lockouts|locked_out|route|upstream_up)(_.*)?"
)


def scraped(port: int) -> dict[str, float]:
    """Every sample, by its name with its labels."""
    text = ask(port, "GET", "/metrics").content.decode()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def test_labgates_own_metrics(tmp_path: Path) -> None:
    cert, key = pair(tmp_path / "public", "localhost")
    port = unused_port()
    flags = ["--metrics-ip", "127.0.0.1", "--metrics-port", str(port)]
    flags += ["--ssl-cert", str(cert), "--ssl-key", str(key)]
    with echo_target() as target, in_thread(*flags) as proxy:
        proxy.api("POST", "/x", {"target": target})
        assert https(proxy.port, "/x/1", trusting())[0] == 200
        assert https(proxy.port, "/none", trusting())[0] == 404
        assert ask(proxy.port, "GET", "/").status == 400
        seen = scraped(port)
        proxy.api("POST", "/user/ada", {"target": target, "user": "ada"})
        assert https(proxy.port, "/user/ada/lab", trusting())[0] == 200
        told = " ".join(scraped(port))
    assert not any(word in told for word in ("/x", "ada", "127.0.0.1")), "routes or clients"
    assert seen[f'labgate_build_info{{version="{__version__}"}}'] == 1
    assert seen['labgate_requests_total{outcome="forwarded",status="2xx"}'] == 1
    assert seen['labgate_requests_total{outcome="answered here",status="4xx"}'] == 1
    assert seen["labgate_request_duration_seconds_count"] == 2
    assert seen["labgate_jupyter_duration_seconds_count"] >= 1
    assert seen['labgate_bytes_total{direction="down"}'] > 100
    assert seen['labgate_upstream_connections{state="idle"}'] == 1
    assert seen["labgate_routes"] == 1
    assert seen["labgate_resident_memory_bytes"] > 1_000_000
    assert 29 < seen['labgate_certificate_days_left{name="localhost"}'] < 30
    names = {name.partition("{")[0] for name in seen}
    dashboard = {name for name in shown() if not NOT_OF_A_HUB.fullmatch(name)}
    assert dashboard <= names
    assert not any(NOT_OF_A_HUB.fullmatch(name) for name in names)
