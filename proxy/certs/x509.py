"""X.509 certificates that labgate signs itself: development, temporary and challenge ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLOCK_TOLERANCE = timedelta(days=1)
"""Certificates are valid from before now on: a client's clock may be late."""


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA's certificate and its private key."""

    certificate: x509.Certificate
    key: CertificateIssuerPrivateKeyTypes


@dataclass(frozen=True, slots=True)
class PemPair:
    """A certificate and its private key in PEM form."""

    certificate: bytes
    key: bytes


def self_signed(
    hosts: Sequence[str],
    lifetime: timedelta,
    *,
    organization: str = "",
    critical: Sequence[x509.ExtensionType] = (),
) -> PemPair:
    """A self-signed certificate for ``hosts``, and its key.

    Args:
        hosts: DNS names and addresses.
        lifetime: From now on.
        organization: The subject's only attribute; empty for an empty subject.
        critical: Extensions beside the subject alternative names.
    """
    key = generate_key()
    subject = _name(organization)
    builder = _builder(hosts, lifetime, subject, key).issuer_name(subject)
    for extension in critical:
        builder = builder.add_extension(extension, critical=True)
    return _signed(builder, key, key)


def issue_server_certificate(
    hosts: Sequence[str], lifetime: timedelta, *, organization: str, authority: Authority
) -> PemPair:
    """A certificate for a TLS server, and its key, as the CA/Browser Forum wants it."""
    key = generate_key()
    extensions = authority.certificate.extensions
    identifier = extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    builder = (
        _builder(hosts, lifetime, _name(organization), key)
        .issuer_name(authority.certificate.subject)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNATURES_ONLY, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier),
            critical=False,
        )
    )
    return _signed(builder, key, authority.key)


def general_name(host: str) -> x509.DNSName | x509.IPAddress:
    """The subject alternative name for an address or a DNS name."""
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def generate_key() -> ec.EllipticCurvePrivateKey:
    """A new private key: ECDSA P-256, which every client supports."""
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A private key in PEM form, without a passphrase."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _name(organization: str) -> x509.Name:
    if not organization:
        return x509.Name([])
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])


def _builder(
    hosts: Sequence[str], lifetime: timedelta, subject: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    """What all have in common: all but the issuer and further extensions."""
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([general_name(host) for host in hosts])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK_TOLERANCE)
        .not_valid_after(now + lifetime)
        # Critical exactly if the subject is empty (RFC 5280 section 4.2.1.6).
        .add_extension(names, critical=not subject.rdns)
    )


def _signed(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    issuer_key: CertificateIssuerPrivateKeyTypes,
) -> PemPair:
    certificate = builder.sign(issuer_key, SHA256())
    return PemPair(certificate.public_bytes(Encoding.PEM), key_pem(key))


_SIGNATURES_ONLY = x509.KeyUsage(
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
"""All that a handshake with ECDHE and an ECDSA key needs."""
