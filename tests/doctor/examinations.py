"""Runs the doctor in this process, as ``labgate doctor`` does."""

from __future__ import annotations

import ssl
from pathlib import Path

from proxy.doctor.browser import Browser
from proxy.doctor.examination import Credentials, Examination
from proxy.doctor.examine import examine
from proxy.doctor.finding import Report
from proxy.doctor.target import read_target
from tests.e2e.programs import TOKEN


async def examined(
    url: str,
    authority: Path | None = None,
    *,
    credentials: Credentials = Credentials(token=TOKEN),  # noqa: B008  it is frozen
    http_port: int | None = None,
    silence_seconds: float = 0,
    upload_bytes: int = 3_000_000,
) -> Report:
    """Examine an address; fails if something stays behind in Jupyter."""
    target, _ = read_target(url)
    trust = ssl.create_default_context(cafile=authority) if target.tls else None
    async with Browser(target, trust) as browser:
        examination = Examination(
            browser,
            credentials,
            plain_http=http_port,
            silence_seconds=silence_seconds,
            upload_bytes=upload_bytes,
        )
        report = await examine(examination)
        assert examination.left == []
        return report


def identifiers(report: Report) -> list[str]:
    return [finding.id for finding in report.findings]
