"""The bench behind a wrong nginx says what that nginx does: the author's afternoon in one look."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.doctor.certificates import Certificates
from tests.doctor.configuration import Configuration
from tests.doctor.configurations import NGINX, WRONG
from tests.doctor.proxies import proxy
from tests.doctor.visitor import Visitor
from tests.e2e.programs import Jupyter, until
from tests.e2e.test_inspect import Inspect

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.nginx,
    pytest.mark.usefixtures("jupyterlab"),
]

FILE = json.dumps({"type": "file", "format": "text", "content": "x"})
SAVES, OPENS = "/api/contents/file.txt", "/api/events/subscribe"

OTHERS = {
    # Upgrade and Connection are passed on, and nginx speaks HTTP/1.0 by itself: a common half.
    "nginx: HTTP/1.0": NGINX.without("proxy_http_version"),
    # The whole afternoon: Jupyter names its cookie after Host, which must be the same for all.
    "nginx: as copied": NGINX.without(
        "proxy_set_header Host", "proxy_set_header Upgrade", "proxy_set_header Connection"
    ),
}

ROWS = {
    "nginx: no Host line": [
        (SAVES, "origin-refused", "the proxy in front rewrites Host and not Origin"),
        (OPENS, "origin-refused", "the proxy in front rewrites Host and not Origin"),
    ],
    "nginx: Host without the port": [
        (SAVES, "origin-refused", "without the port (nginx: $host; $http_host has the port)"),
        (OPENS, "origin-refused", "without the port (nginx: $host; $http_host has the port)"),
    ],
    "nginx: no Upgrade": [
        (OPENS, "websocket-not-upgraded", "came without Upgrade, and Connection: close"),
    ],
    "nginx: Connection is close": [
        (OPENS, "websocket-not-upgraded", "came with Upgrade, but with Connection: close"),
    ],
    "nginx: as copied": [
        (SAVES, "origin-refused", "the proxy in front rewrites Host and not Origin"),
        (OPENS, "websocket-not-upgraded", "came without Upgrade, and Connection: close"),
    ],
    "nginx: HTTP/1.0": [
        (OPENS, "websocket-not-upgraded", "came in HTTP/1.0, which has no Upgrade"),
    ],
    "nginx: no cookies": [
        (SAVES, "cookies-lost", "no Cookie came: the proxy in front takes it away"),
        (OPENS, "websocket-refused", "no Cookie came: the proxy in front takes it away"),
    ],
    "nginx: no X-XSRFToken": [
        (SAVES, "xsrf-lost", "X-XSRFToken is missing: the proxy in front takes it away"),
    ],
    "nginx: another WebSocket version": [
        (OPENS, "websocket-version", "a proxy in front changed it"),
    ],
}


@pytest.mark.parametrize("name", ROWS)
def test_what_the_proxy_in_front_does_is_said(
    name: str, tmp_path: Path, jupyter: Jupyter, certificates: Certificates
) -> None:
    told = look(OTHERS.get(name) or WRONG[name][0], tmp_path, jupyter, certificates)
    assert [(target, symptom) for target, symptom, _ in told] == [
        (target, symptom) for target, symptom, _ in ROWS[name]
    ]
    for (_, _, sentence), (_, _, words) in zip(told, ROWS[name], strict=True):
        assert words in sentence


def look(
    configuration: Configuration, folder: Path, jupyter: Jupyter, certificates: Certificates
) -> list[tuple[str, str, str]]:
    """The explained exchanges of somebody who saves a file and opens a WebSocket."""
    with Inspect(folder, "--upstream", jupyter.upstream, "--json") as bench:
        upstream = f"localhost:{bench.port}"
        with proxy(folder / "nginx", configuration, upstream, certificates) as nginx:
            visitor = Visitor(nginx)
            visitor.log_in()
            page = {"Origin": visitor.own, "Sec-Fetch-Site": "same-origin"}
            visitor.ask("PUT", SAVES, FILE, **page)
            visitor.websocket(visitor.own)
            until(lambda: len(bench.rows) == 3, lambda: f"shown: {bench.rows}")
    exchanges = [json.loads(row) for row in bench.rows]
    return [
        (exchange["target"], exchange["symptom"], exchange["explanation"])
        for exchange in exchanges
        if exchange["symptom"]
    ]
