"""Whether an authority in a file signed a certificate: then ``--ca`` with it goes on.

Tested by tests/cli/test_doctor_authority.py.
"""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.x509 import load_pem_x509_certificate


def signed_by(authority: Path, certificate: str) -> bool:
    """Whether the file has the authority that signed a certificate.

    Args:
        authority: A file with a certificate in PEM form, which may be missing.
        certificate: In PEM form; may be empty.
    """
    try:
        issuer = load_pem_x509_certificate(authority.read_bytes())
        load_pem_x509_certificate(certificate.encode()).verify_directly_issued_by(issuer)
    except (OSError, ValueError, TypeError, InvalidSignature):
        return False
    return True
