"""The bench in front of an nginx with HTTPS says what that takes away on the way to Jupyter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.doctor.configuration import Configuration
from tests.doctor.configurations import NGINX, WRONG
from tests.doctor.conftest import Start
from tests.doctor.test_explained import FILE, OPENS, SAVES
from tests.e2e.programs import TOKEN, Labgate, until
from tests.e2e.test_inspect import UPGRADE, Inspect

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.nginx,
    pytest.mark.usefixtures("jupyterlab"),
]

ROWS: dict[str, dict[str, str]] = {
    "right": {},
    "nginx: no Host line": {SAVES: "origin-refused", OPENS: "origin-refused"},
    "nginx: no Upgrade": {OPENS: "websocket-not-upgraded"},
    "nginx: Connection is close": {OPENS: "websocket-not-upgraded"},
    "nginx: no X-XSRFToken": {SAVES: "xsrf-lost"},
    "nginx: no cookies": {SAVES: "cookies-lost", OPENS: "login-refused"},
}


@pytest.mark.parametrize("name", ROWS)
def test_what_the_proxy_behind_does_is_said(name: str, tmp_path: Path, start: Start) -> None:
    told = look(NGINX if name == "right" else WRONG[name][0], tmp_path, start)
    assert {one["target"]: one["symptom"] for one in told} == ROWS[name]
    for one in told:
        if one["symptom"] != "login-refused":
            assert "a proxy between labgate and Jupyter" in one["explanation"]


def look(configuration: Configuration, folder: Path, start: Start) -> list[dict[str, Any]]:
    """The explained exchanges of somebody who saves a file and opens a WebSocket."""
    nginx = start(configuration)
    ca = str(nginx.certificates.authority)
    folder = folder / "bench"
    folder.mkdir()
    with Inspect(folder, "--upstream", nginx.url, "--ca", ca, "--json") as bench:
        visited = Labgate(folder, "inspect", tls=False)
        visited.http_port = bench.port
        login = visited.ask("GET", f"/lab?token={TOKEN}")
        assert login.status == 200
        pairs = [one.partition(";")[0] for one in login.fields.get_all("Set-Cookie", [])]
        own = {"Cookie": "; ".join(pairs), "Origin": f"http://127.0.0.1:{bench.port}"}
        xsrf = next(pair.partition("=")[2] for pair in pairs if pair.startswith("_xsrf="))
        visited.ask("PUT", SAVES, FILE.encode(), X_XSRFToken=xsrf, **own)
        visited.ask("GET", OPENS, **UPGRADE, **own)
        until(lambda: len(bench.rows) >= 3, lambda: f"shown: {bench.rows}")
        exchanges = [json.loads(row) for row in bench.rows]
    return [exchange for exchange in exchanges if exchange["symptom"]]
