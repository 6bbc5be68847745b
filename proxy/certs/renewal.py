"""Obtains the certificate and renews it, while labgate serves.

Tested by tests/e2e/test_acme.py.
"""

from __future__ import annotations

from proxy.certs.acme.certificate_request import certificate_request_of
from proxy.certs.store import CertificateStore
from proxy.config.settings import Settings


async def renew_certificates(settings: Settings, store: CertificateStore) -> None:
    """Obtain the certificate, and renew it from then on."""
    from proxy.certs.acme.maintain import Renewer  # noqa: PLC0415  its libraries cost 0.3 s

    await Renewer(certificate_request_of(settings), store).run()
