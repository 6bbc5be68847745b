"""What takes patience or much data at a real nginx; the rest is in ``test_configurations``."""

from __future__ import annotations

import pytest

from proxy.doctor.plan import PROBES
from tests.doctor.certificates import Certificates
from tests.doctor.configurations import NGINX, WRONG
from tests.doctor.conftest import Start
from tests.doctor.examinations import examined, identifiers

pytestmark = [
    pytest.mark.proxies,
    pytest.mark.jupyter,
    pytest.mark.nginx,
    pytest.mark.usefixtures("jupyterlab", "nothing_stays"),
]

SILENT = 6.0
"""Seconds; longer than the wrong nginx allows."""


async def test_silence_that_ends_a_socket_is_found(
    start: Start, certificates: Certificates
) -> None:
    configuration, identifier = WRONG["nginx: silence ends a socket"]
    running = start(configuration)
    report = await examined(
        running.url, certificates.authority, http_port=running.http_port, silence_seconds=SILENT
    )
    assert identifiers(report) == [identifier], report.findings


async def test_nothing_is_found_at_a_right_one(start: Start, certificates: Certificates) -> None:
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


async def test_downloads_that_are_buffered_are_found(
    start: Start, certificates: Certificates
) -> None:
    running = start(NGINX.without("proxy_buffering"))
    report = await examined(running.url, certificates.authority, upload_bytes=50_000_000)
    assert identifiers(report) == ["buffered"]
    assert report.findings[0].field == "the response's content"
