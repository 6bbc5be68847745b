"""The status file: what is in service, for `labgate cert show`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from proxy.certs.status import read_status
from proxy.certs.store import CertificateStore
from proxy.tls.context import Handshakes
from tests.certificates import pair
from tests.certs.stores import NAME, served, source, warnings_of


class TestStatus:
    def store(self, tmp_path: Path) -> tuple[CertificateStore, Path]:
        folder, file = tmp_path / "pair", tmp_path / "state" / "certificates" / "status.json"
        pair(folder, NAME)
        store = CertificateStore([source(folder)], Handshakes(), (NAME,), file)
        store.start()
        return store, file

    def test_no_file_before_it_serves(self, tmp_path: Path) -> None:
        store, file = self.store(tmp_path)
        store.report_renewal(NAME, last_error="x")
        assert not file.exists()

    def test_the_content(self, tmp_path: Path) -> None:
        store, file = self.store(tmp_path)
        store.publish_status()
        status = read_status(file)
        assert status.running
        (certificate,) = status.certificates
        assert certificate.name == NAME
        assert certificate.serial == served(store)[1].rjust(len(certificate.serial), "0")
        assert (certificate.fault, certificate.last_error, certificate.next_renewal) == (
            "",
            "",
            None,
        )
        assert file.stat().st_mode & 0o777 == 0o600

        when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
        store.report_renewal(NAME, next_renewal=when, last_error="The CA said no.")
        store.report_renewal("unknown.example", last_error="nothing")
        (certificate,) = read_status(file).certificates
        assert (certificate.last_error, certificate.next_renewal) == ("The CA said no.", when)

        (tmp_path / "pair" / "privkey.pem").write_text("oops")
        store.reload()
        (certificate,) = read_status(file).certificates
        assert "not a PEM private key" in certificate.fault
        assert certificate.last_error == "The CA said no."

        store.close()
        assert not read_status(file).running

    def test_it_is_written_only_when_something_changed(self, tmp_path: Path) -> None:
        store, file = self.store(tmp_path)
        store.publish_status()
        before = file.stat()
        store.reload()
        assert file.stat().st_ino == before.st_ino

    def test_a_folder_that_cannot_be_written_is_logged_once(
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
    def test_a_damaged_file_is_an_empty_status(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "status.json").write_text(content)
        assert read_status(tmp_path / "status.json").certificates == ()

    def test_the_instance_of_a_dead_process_does_not_run(self, tmp_path: Path) -> None:
        store, file = self.store(tmp_path)
        store.publish_status()
        content = json.loads(file.read_text())
        content["pid"] = 2**22 + 1  # above what Linux gives
        file.write_text(json.dumps(content))
        assert not read_status(file).running
