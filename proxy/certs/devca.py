"""A certificate authority of one's own, for a laptop: made once, trusted by hand."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from proxy.errors import StartError

from .files import CertificatePair, load_pair

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
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        authority = _authority(folder)
        cert, key = folder / "cert.pem", folder / "key.pem"
        pair = _usable(cert, key, folder, hosts)
        if pair is None:
            now = datetime.now(UTC)
            leaf = authority.issue_cert(
                *hosts,
                organization_name="labgate development",
                # A clock may be a little late; Apple refuses leaves of more than 825 days.
                not_before=now - timedelta(days=1),
                not_after=now + LEAF_LIFETIME,
                key_type=trustme.KeyType.ECDSA,
            )
            chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
            write_private(key, leaf.private_key_pem.bytes())
            write_private(cert, chain, mode=0o644)
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


def write_private(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write so that a reader sees the old file or the new one, never a part of either."""
    temporary = path.with_name(path.name + ".new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def _authority(folder: Path) -> trustme.CA:
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
    write_private(key, authority.private_key_pem.bytes())
    write_private(cert, authority.cert_pem.bytes(), mode=0o644)
    return authority


def _usable(cert: Path, key: Path, folder: Path, hosts: Sequence[str]) -> CertificatePair | None:
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
