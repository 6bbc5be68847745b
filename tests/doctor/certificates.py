"""Right and wrong certificates for ``localhost``."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

PUBLIC = "localhost"


class Certificates:
    """Pairs for ``localhost`` on disk, and the authority that most of them are from.

    ``good``; ``expired``; ``stranger``, whose authority nobody trusts; ``bare``, which lacks the
    certificate between it and the authority; ``other``, which is for another name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        authority = trustme.CA()
        self.authority = folder / "authority.pem"
        authority.cert_pem.write_to_path(self.authority)
        past = datetime.now(UTC) - timedelta(days=1)
        self._write("good", authority.issue_cert(PUBLIC))
        self._write("expired", authority.issue_cert(PUBLIC, not_after=past))
        self._write("stranger", trustme.CA().issue_cert(PUBLIC))
        self._write("bare", authority.create_child_ca().issue_cert(PUBLIC), chain=False)
        self._write("other", authority.issue_cert("lab.example.org"))

    def _write(self, name: str, leaf: trustme.LeafCert, *, chain: bool = True) -> None:
        blobs = leaf.cert_chain_pems if chain else leaf.cert_chain_pems[:1]
        key = leaf.private_key_pem.bytes()
        certificate = b"".join(blob.bytes() for blob in blobs)
        self.cert(name).write_bytes(certificate)
        self.key(name).write_bytes(key)
        self.both(name).write_bytes(certificate + key)

    def cert(self, name: str) -> Path:
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.folder / f"{name}.key"

    def both(self, name: str) -> Path:
        """Certificate and key in one file, as HAProxy reads them."""
        return self.folder / f"{name}.both"
