"""``--upstream``: what is found is compared with what Jupyter itself does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.doctor.configurations import WRONG
from tests.doctor.conftest import Start
from tests.doctor.python_proxy import PythonProxy, serving
from tests.doctor.test_secrets import labgate_doctor
from tests.e2e.programs import TOKEN, Jupyter, free_port

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.usefixtures("jupyterlab", "nothing_stays"),
]


async def compared(url: str, upstream: str, *more: str) -> tuple[list[str], str]:
    """What is found, and what came back for the first of it."""
    code, out = await labgate_doctor(
        url, "--upstream", upstream, "--json", *more, LABGATE_DOCTOR_TOKEN=TOKEN
    )
    assert code == 1, out
    findings = json.loads(out)["findings"]
    return [finding["id"] for finding in findings], findings[0]["received"]


@pytest.mark.nginx
async def test_the_proxy_is_the_cause(start: Start, jupyter: Jupyter) -> None:
    running = start(WRONG["nginx: no Upgrade"][0])
    ca = str(running.certificates.authority)
    found, received = await compared(running.url, jupyter.upstream, "--ca", ca)
    assert found == ["websocket-not-upgraded"]
    assert received.endswith(f"{jupyter.upstream}, asked without the proxy, does it right")


async def test_jupyter_is_the_cause(tmp_path: Path) -> None:
    with Jupyter(tmp_path, "--ServerApp.allow_origin=*") as jupyter:
        async with serving(PythonProxy(jupyter.upstream).handle) as url:
            found, received = await compared(url, jupyter.upstream)
    assert found == ["cross-origin-open"]
    assert "does the same without the proxy" in received


@pytest.mark.nginx
async def test_jupyter_is_not_there(start: Start) -> None:
    running = start(WRONG["nginx: Jupyter is elsewhere"][0])
    ca = str(running.certificates.authority)
    nobody = f"http://127.0.0.1:{free_port()}"
    found, received = await compared(running.url, nobody, "--ca", ca)
    assert found == ["upstream-down"]
    assert "Jupyter itself is not there either" in received


@pytest.mark.nginx
async def test_of_what_only_a_proxy_does_jupyter_is_not_asked(start: Start, tmp_path: Path) -> None:
    with Jupyter(tmp_path) as jupyter:
        upstream = jupyter.upstream.removeprefix("http://")
        running = start(WRONG["nginx: no X-Forwarded-Proto"][0])
        running.upstream = upstream
        running.restart(running.configuration)
        ca = str(running.certificates.authority)
        found, received = await compared(running.url, jupyter.upstream, "--ca", ca)
    assert found == ["forwarded-proto"]
    assert received.endswith(
        "nor does Jupyter itself heed X-Forwarded-Proto (ServerApp.trust_xheaders)"
    )
    assert "does it right" not in received
