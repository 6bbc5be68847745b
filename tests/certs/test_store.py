"""Certificates are exchanged when their files change for the better, and only then."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from proxy.certs.development_ca import RENEW_BEFORE, development_pair
from proxy.certs.sources import Source
from proxy.certs.status import read_status
from proxy.certs.store import CertificateStore
from proxy.edge.tls import Handshakes
from proxy.errors import StartError
from tests.certificates import AUTHORITY, pair

NAME = "lab.example.org"
TODAY = datetime.now(UTC)


def source(folder: Path, *, deferred: bool = False, optional: bool = False) -> Source:
    files = folder / "fullchain.pem", folder / "privkey.pem"
    return Source("", "files", *files, deferred=deferred, optional=optional)


def started(*sources: Source, hosts: tuple[str, ...] = (NAME,)) -> CertificateStore:
    store = CertificateStore(sources, Handshakes(), hosts)
    store.start()
    return store


def served(store: CertificateStore, name: str = NAME) -> tuple[str, str]:
    """Issuer's and leaf's serial numbers, as a client sees them."""
    client_context = ssl.create_default_context()
    client_context.check_hostname = False
    client_context.verify_mode = ssl.CERT_NONE
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = client_context.wrap_bio(down, up, server_hostname=name)
    server = store.handshakes.context.wrap_bio(up, down, server_side=True)
    for _ in range(4):
        for side in (client, server):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    found = client.getpeercert(binary_form=True)
    assert found is not None
    certificate = x509.load_der_x509_certificate(found)
    return certificate.issuer.rfc4514_string(), f"{certificate.serial_number:X}"


def temporary(store: CertificateStore) -> list[str]:
    """The names that are served with a temporary certificate."""
    return [certificate.name for certificate in store.managed if certificate.temporary]


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [entry for entry in caplog.records if entry.levelno >= logging.WARNING]
    caplog.clear()
    return [entry.getMessage() for entry in found]


def test_a_new_pair_is_in_service_at_the_next_look(tmp_path: Path) -> None:
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


def test_several_pairs_each_by_its_own(tmp_path: Path) -> None:
    hosts = ("a.example", "b.example", "x.wild.example")
    folders = [tmp_path / name for name in ("a", "b", "c")]
    names = ("a.example", "b.example", "*.wild.example")
    for folder, name in zip(folders, names, strict=True):
        pair(folder, name)
    store = started(*map(source, folders), hosts=hosts)
    before = [served(store, host) for host in hosts]
    assert len(set(before)) == 3
    assert served(store, "unknown.example") == before[0]
    (folders[0] / "privkey.pem").write_text("broken")
    pair(folders[2], names[2])
    assert store.reload()
    after = [served(store, host) for host in hosts]
    assert after[:2] == before[:2]
    assert after[2] != before[2]


def test_a_name_may_move_to_another_pair(tmp_path: Path) -> None:
    pair(tmp_path / "a", "a.example", "b.example")
    pair(tmp_path / "b", "b.example")
    store = started(
        source(tmp_path / "a"), source(tmp_path / "b"), hosts=("a.example", "b.example")
    )
    pair(tmp_path / "a", "a.example")
    assert store.reload()


def test_what_cannot_start(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no certificate at"):
        started(source(tmp_path))
    pair(tmp_path, "www.example.org")
    with pytest.raises(StartError, match=f"No certificate is for {NAME}"):
        started(source(tmp_path))


def test_an_optional_pair_may_come_and_stays(tmp_path: Path) -> None:
    pair(tmp_path / "a", "a.example", "b.example")
    sources = [source(tmp_path / "a"), source(tmp_path / "b", optional=True)]
    store = started(*sources, hosts=("a.example", "b.example"))
    assert served(store, "b.example") == served(store, "a.example")
    assert not store.reload()
    pair(tmp_path / "b", "b.example")
    assert store.reload()
    # The first pair is for that name as well, and the first counts.
    assert served(store, "b.example") == served(store, "a.example")
    pair(tmp_path / "a", "a.example")
    assert store.reload()
    assert served(store, "b.example") != served(store, "a.example")


class TestAwaited:
    def test_a_temporary_one_serves_until_it_comes(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = started(source(tmp_path, deferred=True), hosts=(NAME, "127.0.0.1"))
        assert temporary(store) == [NAME]
        assert served(store)[0] == "O=labgate temporary"
        assert not store.reload()
        assert not store.reload()
        assert not store.reload(TODAY + timedelta(days=360))
        assert warnings_of(caplog) == []
        pair(tmp_path, NAME)
        assert store.reload()
        assert temporary(store) == []
        assert served(store)[0] != "O=labgate temporary"
        assert store.managed[0].name == NAME

    def test_what_is_broken_is_told(self, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
        """Only here may labgate start all the same: it may be what is needed to renew."""
        pair(tmp_path, NAME, days=-1)
        store = started(source(tmp_path, deferred=True))
        assert served(store)[0] == "O=labgate temporary"
        (warning,) = warnings_of(caplog)
        assert "expired on" in warning
        store.reload()
        store.reload()
        assert warnings_of(caplog) == []
        assert "expired on" in store.managed[0].fault

    def test_it_may_not_be_for_every_name(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store = started(source(tmp_path, deferred=True), hosts=(NAME, "b.example"))
        pair(tmp_path, NAME)
        assert store.reload()
        (warning,) = warnings_of(caplog)
        assert "No certificate is for b.example" in warning
        assert not store.reload()
        assert warnings_of(caplog) == []

    def test_a_real_one_for_the_same_name_goes_first(self, tmp_path: Path) -> None:
        pair(tmp_path / "b", "b.example")
        sources = [source(tmp_path / "a", deferred=True), source(tmp_path / "b")]
        store = started(*sources, hosts=("a.example", "b.example"))
        assert served(store, "a.example")[0] == "O=labgate temporary"
        assert served(store, "b.example")[0] != "O=labgate temporary"


def test_the_development_certificate_is_renewed_under_way(tmp_path: Path) -> None:
    made = development_pair(tmp_path, ["localhost"])

    def make() -> None:
        # As if the days had passed: the files are from then.
        made.cert.unlink(missing_ok=True)
        development_pair(tmp_path, ["localhost"])

    development = Source("localhost", "development", made.cert, made.key, make=make)
    store = started(development, hosts=("localhost",))
    first = served(store, "localhost")
    assert not store.reload()
    assert store.reload(TODAY + timedelta(days=90) - RENEW_BEFORE + timedelta(hours=1))
    assert served(store, "localhost") != first


def test_a_certificate_nobody_renews_is_told_of_daily(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pair(tmp_path, NAME, days=20)
    store = started(source(tmp_path))
    told = {}
    for hours in range(0, 24 * 22, 6):
        store.reload(TODAY + timedelta(hours=hours))
        if found := warnings_of(caplog):
            (told[hours],) = found
    assert 24 * 6 <= min(told) <= 24 * 6 + 6
    assert " expires on " in told[min(told)]
    assert " expired on " in told[max(told)]
    assert 14 <= len(told) <= 16
    assert all(later - earlier >= 24 for earlier, later in zip(told, list(told)[1:], strict=False))
    pair(tmp_path, NAME, days=60)
    assert store.reload(TODAY + timedelta(days=22))
    assert warnings_of(caplog) == []


class TestStatus:
    def store(self, tmp_path: Path) -> tuple[CertificateStore, Path]:
        folder, file = tmp_path / "pair", tmp_path / "state" / "certificates" / "status.json"
        pair(folder, NAME)
        store = CertificateStore([source(folder)], Handshakes(), (NAME,), file)
        store.start()
        return store, file

    def test_nothing_is_told_before_it_serves(self, tmp_path: Path) -> None:
        store, file = self.store(tmp_path)
        store.report_renewal(NAME, last_error="x")
        assert not file.exists()

    def test_what_is_told(self, tmp_path: Path) -> None:
        store, file = self.store(tmp_path)
        store.publish_status()
        status = read_status(file)
        assert status.running
        (told,) = status.certificates
        assert told.name == NAME
        assert told.serial == served(store)[1].rjust(len(told.serial), "0")
        assert (told.fault, told.last_error, told.next_renewal) == ("", "", None)
        assert file.stat().st_mode & 0o777 == 0o600

        when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        store.report_renewal(NAME, next_renewal=when, last_error="The CA said no.")
        store.report_renewal("unknown.example", last_error="nothing")
        (told,) = read_status(file).certificates
        assert (told.last_error, told.next_renewal) == ("The CA said no.", when)

        (tmp_path / "pair" / "privkey.pem").write_text("oops")
        store.reload()
        (told,) = read_status(file).certificates
        assert "not a PEM private key" in told.fault
        assert told.last_error == "The CA said no."

        store.close()
        assert not read_status(file).running

    def test_it_is_written_only_when_something_changed(self, tmp_path: Path) -> None:
        store, file = self.store(tmp_path)
        store.publish_status()
        before = file.stat()
        store.reload()
        assert file.stat().st_ino == before.st_ino

    def test_a_folder_that_cannot_be_written_is_told_once(
        self, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        store, _ = self.store(tmp_path)
        (tmp_path / "state").write_text("a file where the folder should be")
        store.publish_status()
        store.report_renewal(NAME, last_error="x")
        (warning,) = warnings_of(caplog)
        assert "status.json cannot be written" in warning
        assert store.reload() is False

    @pytest.mark.parametrize("content", ["", "{}", "[]", '{"pid": 1, "certificates": [{}]}'])
    def test_a_file_that_is_something_else_tells_nothing(
        self, tmp_path: Path, content: str
    ) -> None:
        (tmp_path / "status.json").write_text(content)
        assert read_status(tmp_path / "status.json").certificates == ()

    def test_the_instance_of_a_dead_process_does_not_run(self, tmp_path: Path) -> None:
        store, file = self.store(tmp_path)
        store.publish_status()
        content = json.loads(file.read_text())
        content["pid"] = 2**22 + 1  # above what Linux gives
        file.write_text(json.dumps(content))
        assert not read_status(file).running
