"""A certificate authority of one's own, for a laptop: made once, trusted by hand."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from proxy.errors import StartError
from proxy.runtime.secret_files import write_atomically

from .files import CertificatePair, load_pair

if TYPE_CHECKING:
    import trustme

LEAF_LIFETIME = timedelta(days=90)
RENEW_BEFORE = timedelta(days=30)


def development_pair(folder: Path, hosts: Sequence[str]) -> CertificatePair:
    """The development certificate for ``hosts``, made or renewed when needed.

    Files, all under ``folder``: ``ca.pem`` and ``ca.key`` (the authority, made once),
    ``cert.pem`` and ``key.pem`` (the leaf). Keys have mode 0600, the folder 0700.

    Raises:
        StartError: The folder cannot be written, or the authority's files are damaged.
    """
    try:
        authority = _authority(folder)
        cert, key = folder / "cert.pem", folder / "key.pem"
        pair = _reusable_pair(cert, key, folder, hosts)
        if pair is None:
            leaf, leaf_key = _leaf(authority, hosts)
            write_atomically(key, leaf_key)
            write_atomically(cert, leaf, mode=0o644)
            pair = load_pair(cert, key)
    except OSError as error:
        raise StartError(
            f"The development certificate cannot be kept in {folder}: {error.strerror}. "
            "It must be a folder that labgate can write; state.folder names another."
        ) from None
    return pair


def authority_file(folder: Path) -> Path:
    """The authority's certificate: what people import to trust it."""
    return folder / "ca.pem"


def _authority(folder: Path) -> trustme.CA:
    import trustme  # noqa: PLC0415  only where there is no other certificate

    cert, key = authority_file(folder), folder / "ca.key"
    if cert.exists() and key.exists():
        try:
            return trustme.CA.from_pem(cert.read_bytes(), key.read_bytes())
        except ValueError:
            raise StartError(
                f"The development CA in {folder} is damaged. Remove ca.pem and ca.key there; "
                "labgate then makes a new one, which has to be trusted again."
            ) from None
    authority = trustme.CA(
        organization_name="labgate development CA",
        organization_unit_name=f"for this machine only, made {datetime.now(UTC):%Y-%m-%d}",
        key_type=trustme.KeyType.ECDSA,
    )
    write_atomically(key, authority.private_key_pem.bytes())
    write_atomically(cert, authority.cert_pem.bytes(), mode=0o644)
    return authority


def general_name(host: str) -> x509.DNSName | x509.IPAddress:
    """How a certificate names a host: by address, or by DNS name."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _leaf(authority: trustme.CA, hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """A certificate for ``hosts`` and its key, both PEM.

    trustme's own leaves mark the names critical beside a subject that is not empty, which
    strict verifiers refuse (RFC 5280 section 4.2.1.6), and may sign code.
    """
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes())
    issuer_key = cast(
        CertificateIssuerPrivateKeyTypes,
        load_pem_private_key(authority.private_key_pem.bytes(), None),
    )
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(UTC)
    identifier = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    certificate = (
        x509.CertificateBuilder()
        .subject_name(
            x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "labgate development")])
        )
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A clock may be a little late; Apple refuses leaves of more than 825 days.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LEAF_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNATURES, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([general_name(host) for host in hosts]), critical=False
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
        .sign(issuer_key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return certificate.public_bytes(Encoding.PEM), private


_SIGNATURES = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)
"""All that a handshake with ECDHE and an ECDSA key asks of the leaf."""


def _reusable_pair(
    cert: Path, key: Path, folder: Path, hosts: Sequence[str]
) -> CertificatePair | None:
    """The leaf kept from last time, unless it is missing, old, or not for these hosts."""
    if not cert.exists() or not key.exists():
        return None
    if cert.stat().st_mtime < authority_file(folder).stat().st_mtime:
        return None
    try:
        pair = load_pair(cert, key, datetime.now(UTC) + RENEW_BEFORE)
    except StartError:
        return None
    return pair if all(pair.covers(host) for host in hosts) else None
