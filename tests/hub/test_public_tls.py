"""Certificates of a hub's proxy, and whom it trusts, are read again: at once when it is told to."""

from __future__ import annotations

import json
import os
import signal
import ssl
import subprocess
from pathlib import Path

import pytest
import trustme

from proxy.errors import StartError
from tests.certificates import pair
from tests.e2e.programs import until
from tests.hub.over_tls import handshake, https, lets_in, serial, trusting
from tests.hub.running import LABGATE, as_process, in_thread


def ssl_flags(group: str, folder: Path) -> list[str]:
    """A new certificate, and the flags that name it."""
    cert, key = pair(folder, "localhost", "127.0.0.1")
    return [f"--{group}-cert", str(cert), f"--{group}-key", str(key)]


def test_a_reload_reads_the_certificates_at_once(tmp_path: Path) -> None:
    """Not only when it is time to look."""
    public, api = tmp_path / "public", tmp_path / "api"
    flags = [*ssl_flags("ssl", public), *ssl_flags("api-ssl", api)]
    with in_thread(*flags) as proxy:
        before = serial(proxy.port), serial(proxy.api_port)
        for folder in (public, api):
            pair(folder, "localhost")
        proxy.call(proxy.hub.reload)
        after = serial(proxy.port), serial(proxy.api_port)
        assert set(after).isdisjoint(before)
        [shown] = proxy.hub.certificates()
        assert int(shown.serial, 16) == after[0]


@pytest.mark.deployment
def test_with_workers_sighup_and_reload_read_them(tmp_path: Path) -> None:
    flags = ["--workers", "2", *ssl_flags("ssl", tmp_path / "public")]
    with as_process(LABGATE, *flags) as proxy:
        assert proxy.process is not None

        def labgate(*words: str) -> str:
            ran = subprocess.run(
                [*LABGATE[:-1], *words],
                env=proxy.environment,
                capture_output=True,
                text=True,
                check=True,
                timeout=120,
            )
            return ran.stdout

        def served() -> set[int]:
            """By whichever worker gets the connection."""
            return {serial(proxy.port) for _ in range(12)}

        for read in (
            lambda: os.kill(proxy.process.pid, signal.SIGHUP),
            lambda: labgate("reload"),
        ):
            [before] = served()
            pair(tmp_path / "public", "localhost")
            read()
            until(
                lambda before=before: before not in served(),  # type: ignore[misc]
                "the old one is served",
            )
            assert proxy.process.poll() is None
            [shown] = json.loads(labgate("status", "--json"))["certificates"]
            assert (shown["names"], shown["problem"]) == (["localhost"], "")
        assert "localhost" in labgate("status")


def authority(path: Path) -> trustme.CA:
    """Another one in the file."""
    made = trustme.CA()
    made.cert_pem.write_to_path(str(path))
    return made


def client_of(made: trustme.CA) -> ssl.SSLContext:
    context = trusting()
    made.issue_cert("ada").configure_cert(context)
    return context


@pytest.mark.parametrize("group", ["ssl", "api-ssl"])
def test_the_authorities_of_clients_are_replaced(tmp_path: Path, group: str) -> None:
    file = tmp_path / "clients.pem"
    first = authority(file)
    flags = [*ssl_flags(group, tmp_path / "own"), f"--{group}-ca", str(file)]
    flags += [f"--{group}-request-cert", f"--{group}-reject-unauthorized"]
    with in_thread(*flags) as proxy:
        port = proxy.port if group == "ssl" else proxy.api_port
        shown = handshake(port, client_of(first))[0]

        def let_in(made: trustme.CA) -> bool:
            try:
                return https(port, "/api/routes", client_of(made))[0] in (403, 404)
            except OSError:
                return False

        assert let_in(first)
        older = client_of(first)
        older.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(ssl.SSLError):
            handshake(port, older)
        second = authority(file)
        proxy.call(proxy.hub.reload)
        assert let_in(second)
        assert not let_in(first), "it trusts whom the file does not name any more"
        file.write_text("no certificate")
        proxy.call(proxy.hub.reload)
        assert let_in(second), "a file that cannot be used leaves those before"
        key = tmp_path / "own" / "privkey.pem"
        right, _ = key.read_text(), key.write_text("no key")
        third = authority(file)
        proxy.call(proxy.hub.reload)
        key.write_text(right)
        proxy.call(proxy.hub.reload)
        assert let_in(third), "they were new while the key could not be used"
        assert handshake(port, client_of(third))[0] == shown, "the certificate is the same"


def test_a_new_certificate_is_served_while_the_authorities_file_is_away(tmp_path: Path) -> None:
    """As where a renewal replaces a whole folder: those in service are trusted on."""
    file, own = tmp_path / "clients.pem", tmp_path / "own"
    trusted = authority(file)
    file.write_text("# für Ada\n" + file.read_text(), "utf-8")
    flags = [*ssl_flags("ssl", own), "--ssl-ca", str(file)]
    with in_thread(*flags, "--ssl-request-cert", "--ssl-reject-unauthorized") as proxy:
        before = handshake(proxy.port, client_of(trusted))[0]
        file.unlink()
        pair(own, "localhost")
        proxy.call(proxy.hub.reload)
        assert handshake(proxy.port, client_of(trusted))[0] != before
        assert lets_in(proxy.port, "/_chp_healthz", client_of(trusted))
        assert not lets_in(proxy.port, "/_chp_healthz", client_of(trustme.CA()))
        [shown] = proxy.hub.certificates()
        assert shown.fault == ""


@pytest.mark.parametrize("content", ["", "\n", "no certificate"])
def test_a_file_without_authorities_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "clients.pem"
    file.write_text(content)
    flags = [*ssl_flags("ssl", tmp_path / "own"), "--ssl-ca", str(file), "--ssl-request-cert"]
    with (
        pytest.raises(StartError, match=f"--ssl-ca {file} cannot be used"),
        in_thread(*flags, "--ssl-reject-unauthorized"),
    ):
        pass


def test_authorities_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    for group in ("ssl", "api-ssl"):
        flags = [
            *ssl_flags(group, tmp_path / group),
            f"--{group}-request-cert",
            f"--{group}-reject-unauthorized",
        ]
        missing = [f"--{group}-ca", str(tmp_path / "missing")]
        named = f"--{group}-ca .*missing"
        with pytest.raises(StartError, match=named), in_thread(*flags, *missing):
            pass
