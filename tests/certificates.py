"""Certificates for tests: an authority, pairs on disk, and contexts that serve them."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from proxy.certs.files import CertificatePair, load_pair
from proxy.tls.context import Handshakes, pair_context

AUTHORITY = trustme.CA()


def pair(folder: Path, *names: str, days: float = 30) -> tuple[Path, Path]:
    """A certificate and its key on disk."""
    folder.mkdir(exist_ok=True)
    leaf = AUTHORITY.issue_cert(*names, not_after=datetime.now(UTC) + timedelta(days=days))
    cert, key = folder / "fullchain.pem", folder / "privkey.pem"
    cert.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    key.write_bytes(leaf.private_key_pem.bytes())
    return cert, key


def server_context(pairs: Sequence[CertificatePair], *, http2: bool = False) -> ssl.SSLContext:
    """A context that serves every pair; a name that no pair covers gets the first."""
    handshakes = Handshakes(http2=http2)
    handshakes.serve([(pair.names, pair_context(pair.cert, pair.key)) for pair in pairs])
    return handshakes.context


@cache
def context_for(certificates: tuple[tuple[str, ...], ...]) -> ssl.SSLContext:
    """A context with these certificates for both protocols; made once, because keys take time."""
    with TemporaryDirectory() as folder:
        pairs = [
            load_pair(*pair(Path(folder) / str(index), *names))
            for index, names in enumerate(certificates)
        ]
        return server_context(pairs, http2=True)


def certificate_for(
    key: CertificatePublicKeyTypes, names: x509.SubjectAlternativeName, days: int = 90
) -> bytes:
    """A certificate for somebody else's key, in PEM form, as a CA issues it."""
    subject, now = x509.Name([]), datetime.now(UTC)
    issued = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=days))
        .add_extension(names, critical=True)
        .sign(ec.generate_private_key(ec.SECP256R1()), SHA256())
    )
    return issued.public_bytes(Encoding.PEM)
