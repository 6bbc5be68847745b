"""The certificates that labgate signs itself. Strict verifiers: see test_development_ca."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from proxy.certs.x509 import CLOCK_TOLERANCE, PemPair, general_name, self_signed

HOSTS = ["lab.example.org", "*.example.org", "192.0.2.7", "2001:db8::7"]


def parsed(made: PemPair) -> x509.Certificate:
    return x509.load_pem_x509_certificate(made.certificate)


def names_of(certificate: x509.Certificate) -> x509.Extension[x509.SubjectAlternativeName]:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def test_self_signed_with_a_key_of_its_own() -> None:
    made, other = (self_signed(HOSTS, timedelta(days=1), organization="test") for _ in range(2))
    certificate = parsed(made)
    certificate.verify_directly_issued_by(certificate)
    key = load_pem_private_key(made.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert key.curve.name == "secp256r1"
    assert key.public_key() == certificate.public_key()
    assert other.key != made.key
    assert parsed(other).serial_number != certificate.serial_number


def test_every_kind_of_name() -> None:
    names = names_of(parsed(self_signed(HOSTS, timedelta(days=1)))).value
    assert names.get_values_for_type(x509.DNSName) == HOSTS[:2]
    assert names.get_values_for_type(x509.IPAddress) == [ip_address(host) for host in HOSTS[2:]]


@pytest.mark.parametrize(("organization", "critical"), [("", True), ("test", False)])
def test_names_are_critical_exactly_without_a_subject(organization: str, critical: bool) -> None:
    """RFC 5280 section 4.2.1.6."""
    certificate = parsed(self_signed(HOSTS, timedelta(days=1), organization=organization))
    assert names_of(certificate).critical is critical
    assert certificate.subject.rfc4514_string() == (f"O={organization}" if organization else "")
    assert certificate.issuer == certificate.subject


def test_validity() -> None:
    before = datetime.now(UTC).replace(microsecond=0)
    certificate = parsed(self_signed(HOSTS, timedelta(days=5)))
    after = datetime.now(UTC)
    assert before - CLOCK_TOLERANCE <= certificate.not_valid_before_utc <= after - CLOCK_TOLERANCE
    lifetime = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    assert lifetime == timedelta(days=5) + CLOCK_TOLERANCE


def test_further_extensions_are_critical() -> None:
    extension = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")
    certificate = parsed(self_signed(HOSTS, timedelta(days=1), critical=[extension]))
    (found,) = [one for one in certificate.extensions if one.value == extension]
    assert found.critical


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("a.example", x509.DNSName("a.example")),
        ("192.0.2.7", x509.IPAddress(ip_address("192.0.2.7"))),
        ("::1", x509.IPAddress(ip_address("::1"))),
    ],
)
def test_general_names(host: str, name: x509.GeneralName) -> None:
    assert general_name(host) == name
