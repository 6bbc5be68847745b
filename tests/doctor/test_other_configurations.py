"""As ``test_configurations``: Caddy, HAProxy, Apache, labgate, and what is wrong in Jupyter.

Traefik's are in ``test_traefik``.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doctor.certificates import Certificates
from tests.doctor.configuration import Configuration
from tests.doctor.configurations import NGINX, RIGHT, WRONG
from tests.doctor.conftest import Start
from tests.doctor.other_configurations import WRONG_OTHERS
from tests.doctor.proxies import proxy
from tests.doctor.running import check, doctor, examine
from tests.e2e.programs import Jupyter, Labgate

pytestmark = [pytest.mark.proxies, pytest.mark.jupyter, pytest.mark.usefixtures("jupyterlab")]


@pytest.mark.usefixtures("nothing_stays")
@pytest.mark.parametrize("name", WRONG_OTHERS)
def test_one_thing_is_wrong(name: str, start: Start) -> None:
    check(name, start)


@pytest.mark.parametrize("server", [server for server in RIGHT if server != "nginx"])
def test_nothing_is_wrong(server: str, start: Start) -> None:
    right = examine(start(RIGHT[server]))
    assert right.found == [], right


def test_nothing_is_wrong_with_labgate(jupyter: Jupyter, tmp_path: Path) -> None:
    with Labgate(tmp_path, "serve", "--upstream", jupyter.upstream) as labgate:
        right = doctor(labgate.origin, labgate.authority, labgate.http_port)
        assert right.found == [], right


TRUST = "c.ServerApp.trust_xheaders = True\n"
JUPYTERS = {
    "the proxy is not believed": (NGINX, "", "forwarded-proto"),
    "every site may call": (NGINX, f'{TRUST}c.ServerApp.allow_origin = "*"\n', "cross-origin-open"),
    "messages of 1 MiB": (
        NGINX,
        f'{TRUST}c.ServerApp.tornado_settings = {{"websocket_max_message_size": 2**20}}\n',
        "message-limit",
    ),
    "uploads of 1 MB": (NGINX, f"{TRUST}c.ServerApp.max_body_size = 10**6\n", "body-limit"),
    "a path that the proxy strips": (
        WRONG["nginx: a path is stripped"][0].put(
            "In the location of Jupyter", "proxy_pass http://@upstream@;"
        ),
        TRUST,
        "base-url",
    ),
}
"""jupyter_server_config.py behind an nginx with nothing wrong."""


@pytest.mark.nginx
@pytest.mark.parametrize(("configuration", "lines", "symptom"), JUPYTERS.values(), ids=JUPYTERS)
def test_jupyter_is_wrong(
    configuration: Configuration,
    lines: str,
    symptom: str,
    tmp_path: Path,
    certificates: Certificates,
) -> None:
    jupyter = Jupyter(tmp_path)
    config = tmp_path / "config" / "jupyter_server_config.py"
    config.parent.mkdir()
    config.write_text(lines)
    upstream = jupyter.upstream.removeprefix("http://")
    with proxy(tmp_path / "proxy", configuration, upstream, certificates) as running:
        with jupyter:
            wrong = examine(running)
        assert wrong.found == [symptom], wrong
        config.write_text(lines + wrong.mend["jupyter"])
        jupyter.base_url = configuration.path
        with jupyter:
            right = examine(running)
    assert right.found == [], right
