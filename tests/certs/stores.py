"""Stores of certificates, and what a client sees of them."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from proxy.certs.sources import CertificateSource
from proxy.certs.store import CertificateStore
from proxy.tls.context import Handshakes

NAME = "lab.example.org"
TODAY = datetime.now(UTC)


def source(folder: Path, *, deferred: bool = False, optional: bool = False) -> CertificateSource:
    files = folder / "fullchain.pem", folder / "privkey.pem"
    return CertificateSource("", "files", *files, deferred=deferred, optional=optional)


def started(*sources: CertificateSource, hosts: tuple[str, ...] = (NAME,)) -> CertificateStore:
    store = CertificateStore(sources, Handshakes(), hosts)
    store.start()
    return store


def served(store: CertificateStore, name: str = NAME) -> tuple[str, str]:
    """Issuer's and leaf's serial numbers, as a client sees them."""
    client_context = ssl.create_default_context()
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname=name)
    server = store.handshakes.context.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    certificate = x509.load_der_x509_certificate(found)
    return certificate.issuer.rfc4514_string(), f"{certificate.serial_number:X}"


def temporary(store: CertificateStore) -> list[str]:
    """The names that are served with a temporary certificate."""
    return [certificate.name for certificate in store.managed if certificate.temporary]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
    caplog.clear()
    return [entry.getMessage() for entry in found]
