"""The certificates of a running labgate, and of one of its workers."""

from __future__ import annotations

from pathlib import Path

from proxy.certificate_service import CertificateService
from proxy.config.settings import Settings


def test_a_worker_makes_no_certificate(tmp_path: Path) -> None:
    given = Settings.model_validate({"state": {"folder": tmp_path}})
    alone = CertificateService(given)
    worker = CertificateService(given, is_worker=True)
    assert alone.store.managed[0].source.make is not None
    assert worker.store.managed[0].source.make is None
