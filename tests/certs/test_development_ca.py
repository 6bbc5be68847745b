"""The development CA is made once; the leaf is renewed when it must be."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store

from proxy.certs.development_ca import authority_file, development_pair
from proxy.certs.x509 import general_name
from proxy.errors import StartError


def test_made_once_with_private_keys(tmp_path: Path) -> None:
    folder = tmp_path / "state" / "labgate"
    first = development_pair(folder, ["localhost"])
    authority = authority_file(folder).read_bytes()
    leaf = first.cert.read_bytes()
    assert development_pair(folder, ["localhost"]) == first
    assert authority_file(folder).read_bytes() == authority
    assert first.cert.read_bytes() == leaf
    assert stat.S_IMODE((folder / "ca.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(first.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    leaf_certificate = x509.load_pem_x509_certificate(leaf)
    lifetime = leaf_certificate.not_valid_after_utc - leaf_certificate.not_valid_before_utc
    assert lifetime < timedelta(days=92)


def test_another_name_gets_another_leaf_from_the_same_authority(tmp_path: Path) -> None:
    development_pair(tmp_path, ["localhost"])
    authority = authority_file(tmp_path).read_bytes()
    assert development_pair(tmp_path, ["localhost", "a.localhost"]).covers("a.localhost")
    assert authority_file(tmp_path).read_bytes() == authority


def test_a_damaged_authority_is_reported(tmp_path: Path) -> None:
    development_pair(tmp_path, ["localhost"])
    authority_file(tmp_path).write_text("x")
    with pytest.raises(StartError, match="damaged"):
        development_pair(tmp_path, ["localhost"])


def test_a_folder_that_cannot_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StartError, match=r"state\.folder"):
        development_pair(tmp_path / "file" / "below", ["localhost"])


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_a_strict_verifier_takes_it(tmp_path: Path, host: str) -> None:
    """The web's rules for certificates (CA/Browser Forum, RFC 5280), and nothing beyond TLS."""
    loaded = development_pair(tmp_path, ["localhost", "127.0.0.1", "::1"])
    authority = x509.load_pem_x509_certificate(authority_file(tmp_path).read_bytes())
    leaf = x509.load_pem_x509_certificate(loaded.cert.read_bytes())
    policy = PolicyBuilder().store(Store([authority]))
    chain = policy.build_server_verifier(general_name(host)).verify(leaf, [])
    assert chain == [leaf, authority]
    usage = leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]


@pytest.mark.parametrize("content", ["", "x", "-----BEGIN PRIVATE KEY-----\n"])
def test_a_damaged_key_of_the_authority_is_reported(tmp_path: Path, content: str) -> None:
    development_pair(tmp_path, ["localhost"])
    (tmp_path / "ca.key").write_text(content)
    with pytest.raises(StartError, match=r"is damaged\. Remove ca\.pem and ca\.key"):
        development_pair(tmp_path, ["localhost"])
