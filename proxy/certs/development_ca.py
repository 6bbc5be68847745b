"""A certificate authority for development on a laptop: made once, trusted by hand.

Its certificates are not trustme's own: those mark the names critical beside a subject that is
not empty, which strict verifiers refuse (RFC 5280 section 4.2.1.6), and may sign code.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate

from proxy.errors import StartError
from proxy.runtime.secret_files import write_atomically

from .files import CertificatePair, load_pair
from .x509 import Authority, issue_server_certificate

LIFETIME = timedelta(days=90)
"""Apple refuses more than 825 days."""

RENEW_BEFORE = timedelta(days=30)
"""Before the expiry."""


def development_pair(folder: Path, hosts: Sequence[str]) -> CertificatePair:
    """The development certificate for ``hosts``, made or renewed if needed.

    Its files are in ``folder``: ``ca.pem`` and ``ca.key`` (the authority), ``cert.pem`` and
    ``key.pem`` (the certificate). Keys have mode 0600, the folder 0700.

    Raises:
        StartError: The folder cannot be written, or the authority's files are damaged.
    """
    try:
        authority = _authority(folder)
        cert, key = folder / "cert.pem", folder / "key.pem"
        pair = _reusable_pair(cert, key, folder, hosts)
        if pair is None:
            made = issue_server_certificate(
                hosts, LIFETIME, organization="labgate development", authority=authority
            )
            write_atomically(key, made.key)
            write_atomically(cert, made.certificate, mode=0o644)
            pair = load_pair(cert, key)
    except OSError as error:
        raise StartError(
            f"The development certificate cannot be kept in {folder}: {error.strerror}. "
            "It must be a folder that labgate can write; state.folder names another."
        ) from None
    return pair


def authority_file(folder: Path) -> Path:
    """The authority's certificate, which people import to trust it."""
    return folder / "ca.pem"


def _authority(folder: Path) -> Authority:
    cert, key = authority_file(folder), folder / "ca.key"
    if cert.exists() and key.exists():
        try:
            return _load_authority(cert.read_bytes(), key.read_bytes())
        except ValueError:
            raise StartError(
                f"The development CA in {folder} is damaged. Remove ca.pem and ca.key there; "
                "labgate then makes a new one, which has to be trusted again."
            ) from None
    import trustme  # noqa: PLC0415  only for the first start

    made = trustme.CA(
        organization_name="labgate development CA",
        organization_unit_name=f"for this machine only, made {datetime.now(UTC):%Y-%m-%d}",
        key_type=trustme.KeyType.ECDSA,
    )
    cert_pem, private_pem = made.cert_pem.bytes(), made.private_key_pem.bytes()
    write_atomically(key, private_pem)
    write_atomically(cert, cert_pem, mode=0o644)
    return _load_authority(cert_pem, private_pem)


def _load_authority(cert_pem: bytes, private_pem: bytes) -> Authority:
    """Parse the authority's files.

    Raises:
        ValueError: One of them is damaged.
    """
    key = load_pem_private_key(private_pem, None)
    return Authority(load_pem_x509_certificate(cert_pem), cast(ec.EllipticCurvePrivateKey, key))


def _reusable_pair(
    cert: Path, key: Path, folder: Path, hosts: Sequence[str]
) -> CertificatePair | None:
    """The existing pair; None if it is missing, due for renewal, or not for these hosts."""
    if not cert.exists() or not key.exists():
        return None
    if cert.stat().st_mtime < authority_file(folder).stat().st_mtime:
        return None
    try:
        pair = load_pair(cert, key, datetime.now(UTC) + RENEW_BEFORE)
    except StartError:
        return None
    return pair if all(pair.covers(host) for host in hosts) else None
