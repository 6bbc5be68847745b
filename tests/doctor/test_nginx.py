"""Real nginx, right and wrong, before a real Jupyter: each fault has its name and no other."""

from __future__ import annotations

import pytest

from proxy.doctor.plan import PROBES
from tests.doctor.configuration import Configuration
from tests.doctor.configurations import NGINX, REWRITTEN_HOST, WRONG
from tests.doctor.conftest import Start
from tests.doctor.examinations import examined, identifiers
from tests.doctor.leftovers import leftovers
from tests.doctor.proxies import Certificates
from tests.e2e.programs import Jupyter

pytestmark = [pytest.mark.jupyter, pytest.mark.nginx, pytest.mark.usefixtures("jupyterlab")]

SILENT_SECONDS = 6.0
"""Longer than the wrong nginx allows."""


@pytest.mark.parametrize(
    ("configuration", "identifier"),
    [wrong for name, wrong in WRONG.items() if name.startswith("nginx")],
    ids=[name for name in WRONG if name.startswith("nginx")],
)
async def test_a_wrong_one(
    configuration: Configuration,
    identifier: str,
    start: Start,
    jupyter: Jupyter,
    certificates: Certificates,
) -> None:
    running = start(configuration)
    report = await examined(
        running.url,
        certificates.authority,
        http_port=running.http_port,
        silence_seconds=SILENT_SECONDS if identifier == "idle-timeout" else 0,
    )
    assert identifiers(report) == [identifier], report.findings
    assert leftovers(jupyter) == []


async def test_nothing_is_found_at_a_right_one(
    start: Start, jupyter: Jupyter, certificates: Certificates
) -> None:
    running = start(NGINX)
    report = await examined(
        running.url,
        certificates.authority,
        http_port=running.http_port,
        silence_seconds=1,
        upload_bytes=50_000_000,
    )
    assert report.findings == []
    assert report.passed == [probe.name for probe in PROBES]
    assert report.server == "nginx"
    assert leftovers(jupyter) == []


async def test_downloads_that_are_buffered_are_found(
    start: Start, jupyter: Jupyter, certificates: Certificates
) -> None:
    running = start(NGINX.without("proxy_buffering"))
    report = await examined(running.url, certificates.authority, upload_bytes=50_000_000)
    assert identifiers(report) == ["buffered"]
    assert report.findings[0].field == "the response's content"
    assert leftovers(jupyter) == []


async def test_two_faults_are_named_one_after_the_other(
    start: Start, certificates: Certificates
) -> None:
    """An afternoon: "cannot create a file", then "cannot connect to the notebook server"."""
    configuration = REWRITTEN_HOST.without("proxy_set_header Upgrade", "proxy_set_header Conn")
    for identifier in ("origin-refused", "websocket-not-upgraded"):
        report = await examined(start(configuration).url, certificates.authority)
        assert identifiers(report) == [identifier]
        configuration = configuration.pasted(report.findings[0].mends["nginx"])
    assert identifiers(await examined(start(configuration).url, certificates.authority)) == []
