"""A self-signed certificate for the time until the real one is there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from proxy.runtime.secret_files import write_atomically

from .development_ca import general_name
from .files import CertificatePair, load_pair

ISSUER = "labgate temporary"
LIFETIME = timedelta(days=365)


def temporary_pair(folder: Path, hosts: Sequence[str]) -> CertificatePair:
    """Make one for ``hosts`` in ``folder``; nobody trusts it, and nobody should."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ISSUER)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.SubjectAlternativeName([general_name(host) for host in hosts]), False)
        .sign(key, SHA256())
    )
    cert_file, key_file = folder / "fullchain.pem", folder / "privkey.pem"
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_atomically(key_file, pem)
    write_atomically(cert_file, certificate.public_bytes(Encoding.PEM))
    return load_pair(cert_file, key_file)
