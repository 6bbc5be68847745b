"""A certificate is exchanged when its files change for the better, and only then."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from proxy.certs.development_ca import RENEW_BEFORE, development_pair
from proxy.certs.sources import CertificateSource
from tests.certificates import AUTHORITY, pair
from tests.certs.stores import NAME, TODAY, served, source, started, warnings_of


def test_a_new_pair_is_in_service_after_a_reload(tmp_path: Path) -> None:
    pair(tmp_path, NAME)
    store = started(source(tmp_path))
    first = served(store)
    assert not store.reload()
    assert served(store) == first
    pair(tmp_path, NAME)
    assert store.reload()
    assert served(store) != first
    assert not store.reload()


def test_certbots_links(tmp_path: Path) -> None:
    """``live/NAME/*.pem`` are links into ``archive/NAME/``, replaced one after the other."""
    archive, live = tmp_path / "archive", tmp_path / "live"
    archive.mkdir()
    live.mkdir()

    def renew(number: int) -> None:
        pair(tmp_path / "new", NAME)
        for kind in ("privkey", "fullchain"):
            file = archive / f"{kind}{number}.pem"
            shutil.move(tmp_path / "new" / f"{kind}.pem", file)
            (live / f"{kind}.pem").unlink(missing_ok=True)
            (live / f"{kind}.pem").symlink_to(file)
            if number > 1:
                store.reload()  # in between, too

    renew(1)
    store = started(source(live))
    first = served(store)
    renew(2)
    assert served(store) != first
    assert not store.managed[0].fault


def test_the_same_content_elsewhere_is_nothing_new(tmp_path: Path) -> None:
    for file in pair(tmp_path, NAME):
        copy = file.with_suffix(".copy")
        shutil.copy(file, copy)
        copied = copy
    store = started(source(tmp_path))
    copied.replace(tmp_path / "privkey.pem")
    os.utime(tmp_path / "fullchain.pem", (0, 0))
    assert not store.reload()


def _cut(folder: Path) -> None:
    cert = folder / "fullchain.pem"
    cert.write_bytes(cert.read_bytes()[:-200])


def _empty(folder: Path) -> None:
    (folder / "privkey.pem").write_bytes(b"")


def _gone(folder: Path) -> None:
    shutil.rmtree(folder)


def _mismatched(folder: Path) -> None:
    key = (folder / "privkey.pem").read_bytes()
    pair(folder, NAME)
    (folder / "privkey.pem").write_bytes(key)


def _expired(folder: Path) -> None:
    pair(folder, NAME, days=-1)


def _another_name(folder: Path) -> None:
    pair(folder, "www.example.org")


def _early(folder: Path) -> None:
    leaf = AUTHORITY.issue_cert(
        NAME, not_before=TODAY + timedelta(days=1), not_after=TODAY + timedelta(days=9)
    )
    (folder / "fullchain.pem").write_bytes(leaf.cert_chain_pems[0].bytes())
    (folder / "privkey.pem").write_bytes(leaf.private_key_pem.bytes())


def _half(folder: Path) -> None:
    chain = (folder / "fullchain.pem").read_bytes()
    (folder / "fullchain.pem").write_bytes(chain * 2 + chain[:300])


FAULTS: list[tuple[Callable[[Path], None], str]] = [
    (_cut, r"fullchain\.pem is not a PEM certificate"),
    (_half, r"ends within a certificate"),
    (_empty, r"privkey\.pem is not a PEM private key"),
    (_gone, r"There is no certificate at .*fullchain\.pem"),
    (_mismatched, r"do not belong together"),
    (_expired, r"expired on \d{4}-"),
    (_another_name, r"is not for lab\.example\.org, .* names www\.example\.org"),
    (_early, r"valid only from .* clock"),
]


@pytest.mark.parametrize(("damage", "said"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_bad_pair_changes_nothing_but_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, damage: Callable[[Path], None], said: str
) -> None:
    folder = tmp_path / "pair"
    pair(folder, NAME)
    store = started(source(folder))
    first = served(store)
    caplog.set_level("INFO")
    damage(folder)
    assert not store.reload()
    assert warnings_of(caplog) == []  # perhaps it is still being written
    for _ in range(3):
        assert not store.reload()
    (warning,) = warnings_of(caplog)
    assert re.search(said, warning), warning
    assert warning.endswith("The certificate in service stays.")
    assert re.search(said, store.managed[0].fault)
    assert served(store) == first

    pair(folder, NAME)
    assert store.reload()
    assert served(store) != first
    assert not store.managed[0].fault
    assert warnings_of(caplog) == []


def test_a_fault_that_goes_away_leaves_what_was(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cert, _ = pair(tmp_path, NAME)
    good = cert.read_bytes()
    store = started(source(tmp_path))
    cert.write_text("oops")
    store.reload()
    store.reload()
    assert len(warnings_of(caplog)) == 1
    cert.write_bytes(good)
    assert not store.reload()
    assert not store.managed[0].fault
    cert.write_text("oops")
    store.reload()
    store.reload()
    assert len(warnings_of(caplog)) == 1


def test_a_certificate_of_tomorrow_is_used_tomorrow(tmp_path: Path) -> None:
    pair(tmp_path, NAME)
    store = started(source(tmp_path))
    _early(tmp_path)
    assert not store.reload()
    assert store.reload(TODAY + timedelta(days=1, minutes=1))


def test_an_expired_one_makes_way_for_any(tmp_path: Path) -> None:
    pair(tmp_path, NAME, days=1)
    store = started(source(tmp_path))
    _another_name(tmp_path)
    assert not store.reload()
    assert store.reload(TODAY + timedelta(days=2))


def test_a_shorter_chain_may_be_half_of_a_longer_one(tmp_path: Path) -> None:
    cert, _ = pair(tmp_path, NAME)
    cert.write_bytes(cert.read_bytes() + AUTHORITY.cert_pem.bytes())
    store = started(source(tmp_path))
    pair(tmp_path, NAME)
    assert not store.reload()
    assert not store.managed[0].fault
    assert store.reload()


def test_a_key_that_openssl_does_not_take(tmp_path: Path) -> None:
    """Too small for its security level."""
    cert, _ = pair(tmp_path, NAME)
    store = started(source(tmp_path))
    first = served(store)
    key = rsa.generate_private_key(65537, 1024)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    small = (
        x509.CertificateBuilder(name, name, key.public_key(), 4711)
        .not_valid_before(TODAY - timedelta(days=1))
        .not_valid_after(TODAY + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, SHA256())
    )
    cert.write_bytes(small.public_bytes(Encoding.PEM))
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "privkey.pem").write_bytes(pem)
    assert not store.reload()
    assert "OpenSSL does not take" in store.managed[0].fault
    assert served(store) == first


def test_the_development_certificate_is_renewed_under_way(tmp_path: Path) -> None:
    made = development_pair(tmp_path, ["localhost"])

    def make() -> None:
        # As if the days had passed: the files are from then.
        made.cert.unlink(missing_ok=True)
        development_pair(tmp_path, ["localhost"])

    development = CertificateSource("localhost", "development", made.cert, made.key, make=make)
    store = started(development, hosts=("localhost",))
    first = served(store, "localhost")
    assert not store.reload()
    assert store.reload(TODAY + timedelta(days=90) - RENEW_BEFORE + timedelta(hours=1))
    assert served(store, "localhost") != first


def test_a_certificate_that_is_not_renewed_is_logged_daily(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair(tmp_path, NAME, days=20)
    store = started(source(tmp_path))
    logged = {}
    for hours in range(0, 24 * 22, 6):
        store.reload(TODAY + timedelta(hours=hours))
        if found := warnings_of(caplog):
            (logged[hours],) = found
    assert 24 * 6 <= min(logged) <= 24 * 6 + 6
    assert " expires on " in logged[min(logged)]
    assert " expired on " in logged[max(logged)]
    assert 14 <= len(logged) <= 16
    assert all(
        later - earlier >= 24 for earlier, later in zip(logged, list(logged)[1:], strict=False)
    )
    pair(tmp_path, NAME, days=60)
    assert store.reload(TODAY + timedelta(days=22))
    assert warnings_of(caplog) == []
