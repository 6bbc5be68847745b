"""``labgate cert show`` tells what is in service, and fails when that is nothing good."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from proxy.certs.files import acme_pair
from proxy.certs.sources import CertificateSource
from proxy.certs.status import status_file
from proxy.certs.store import CertificateStore
from proxy.cli.command import command
from proxy.tls.context import Handshakes
from tests.certificates import pair

NAME = "lab.example.org"


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The state folder; no configuration of this machine."""
    for name in ("CREDENTIALS_DIRECTORY", "LABGATE_CONFIG", "LABGATE_SITE__DOMAINS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LABGATE_STATE__FOLDER", str(tmp_path / "state"))
    return tmp_path / "state"


def show(*arguments: str | Path) -> int:
    return command(["cert", "show", "--domain", NAME, *map(str, arguments)])


def files(folder: Path) -> list[str | Path]:
    return ["--cert", folder / "fullchain.pem", "--key", folder / "privkey.pem"]


def running(state: Path, folder: Path, *, deferred: bool = False) -> CertificateStore:
    """As if a labgate ran: this process writes the status file."""
    cert, key = folder / "fullchain.pem", folder / "privkey.pem"
    source = CertificateSource("", "files", cert, key, deferred=deferred)
    store = CertificateStore([source], Handshakes(), (NAME,), status_file(state))
    store.start()
    store.publish_status()
    return store


def test_from_the_files(state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair(tmp_path / "pair", NAME, "www.example.org", days=30.5)
    assert show(*files(tmp_path / "pair")) == 0
    said = capsys.readouterr().out
    for text in (NAME, "www.example.org", "trustme", "30 days left", "fullchain.pem", "files"):
        assert text in said
    assert f"No labgate with the state folder {state} runs" in said
    assert not state.exists()


@pytest.mark.parametrize("terminal", [True, False], ids=["terminal", "pipe"])
def test_names_and_paths_are_whole_at_any_width(
    terminal: bool, state: Path, tmp_path: Path
) -> None:
    """People copy them, and a program reads lines."""
    folder = tmp_path / ("a deep folder " * 9).strip()
    longest = ".".join(["l" * 63, "a" * 63, "b" * 63, "example.org"])
    pair(folder, NAME, longest, days=30.5)
    said = printed(["--domain", longest, *map(str, files(folder))], state, terminal)
    lines = [line.strip() for line in said.splitlines()]
    assert {NAME, longest} <= set(lines)
    assert any(line.endswith(f" {folder}/fullchain.pem") for line in lines)
    issuer = x509.load_pem_x509_certificate((folder / "fullchain.pem").read_bytes()).issuer
    (organization,) = issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
    assert any(line.endswith(f" {organization.value!s}") for line in lines)
    assert f"No labgate with the state folder {state} runs: from the files." in lines


def printed(arguments: list[str], state: Path, terminal: bool) -> str:
    """What a terminal of 40 columns, or a pipe, gets of the real program."""
    reading, writing = pty.openpty() if terminal else os.pipe()
    if terminal:
        termios.tcsetwinsize(writing, (24, 40))
    running = subprocess.Popen(
        [sys.executable, "-m", "proxy", "cert", "show", "--domain", NAME, *arguments],
        env=os.environ | {"LABGATE_STATE__FOLDER": str(state), "TERM": "dumb", "COLUMNS": "40"},
        stdin=subprocess.DEVNULL,
        stdout=writing,
    )
    os.close(writing)
    said = b""
    # A terminal that nobody writes to any more is an error to read.
    with open(reading, "rb", buffering=0) as output, suppress(OSError):
        while piece := output.read(65536):
            said += piece
    assert running.wait() == 0
    return said.decode()


@pytest.mark.parametrize(
    ("days", "hours"), [(-3, "expired 3 days ago"), (-0.1, "expired 2 hours ago")]
)
@pytest.mark.usefixtures("state")
def test_expired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], days: float, hours: str
) -> None:
    pair(tmp_path / "pair", NAME, days=days)
    assert show(*files(tmp_path / "pair")) == 1
    said = capsys.readouterr().out
    assert hours in said
    assert "It has expired. Replace both files" in said


@pytest.mark.usefixtures("state")
def test_missing(capsys: pytest.CaptureFixture[str]) -> None:
    assert show() == 1
    said = capsys.readouterr().out
    assert "missing" in said
    assert "certbot certonly -d lab.example.org" in said


def test_one_that_labgate_has_not_obtained_yet(
    state: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also while labgate runs, whose watcher has looked for the files, and after a failure."""
    address = ("--email", "ada@example.org")
    assert show(*address) == 1
    said = capsys.readouterr().out
    assert f"{NAME}: There is none yet. While labgate serves, it asks the CA for it" in said
    assert "Name the right file" not in said
    source = CertificateSource(NAME, "ACME", *acme_pair(state, NAME), deferred=True)
    store = CertificateStore([source], Handshakes(), (NAME,), status_file(state))
    store.start()
    store.reload()
    store.report_renewal(NAME, last_error="the CA cannot reach port 80")
    store.publish_status()
    assert show(*address) == 1
    said = capsys.readouterr().out
    assert said.count("There is none yet. While labgate serves") == 1
    assert "The last renewal failed: the CA cannot reach port 80" in said
    assert "Name the right file" not in said
    assert store.statuses()[0].fault.startswith("There is none yet.")


@pytest.mark.usefixtures("state")
def test_broken(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cert, _ = pair(tmp_path / "pair", NAME)
    cert.write_text("oops")
    assert show(*files(tmp_path / "pair")) == 1
    said = capsys.readouterr().out
    assert "unusable" in said
    assert f"{NAME}: {cert} is not a PEM certificate." in said


@pytest.mark.usefixtures("state")
def test_a_name_without_a_certificate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair(tmp_path / "pair", NAME)
    assert show("--domain", "b.example", *files(tmp_path / "pair")) == 1
    assert "b.example: No certificate is for this name" in capsys.readouterr().out


@pytest.mark.usefixtures("state")
def test_a_laptop_before_its_first_start(capsys: pytest.CaptureFixture[str]) -> None:
    assert command(["cert", "show"]) == 1
    assert "labgate makes it when it starts" in capsys.readouterr().out


def test_what_is_in_service(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pair"
    pair(folder, NAME, days=30.5)
    store = running(state, folder)
    when = datetime(2031, 2, 3, 4, 5, tzinfo=UTC)
    store.report_renewal(NAME, next_renewal=when, last_error="The CA said no.")
    (folder / "privkey.pem").write_text("oops")
    store.reload()
    assert show(*files(folder)) == 0, "what is in service is good"
    said = capsys.readouterr().out
    for text in ("30 days left", "2031-02-03 04:05", "The last renewal failed: The CA said no."):
        assert text in said
    assert said.count("is not a PEM private key") == 1
    assert f"The running labgate (process {os.getpid()}, state folder {state}) reports this" in said

    pair(folder, NAME, days=50.5)
    store.reload()
    pair(folder, NAME, days=60.5)
    assert show(*files(folder)) == 0
    said = capsys.readouterr().out
    assert "50 days left" in said
    assert "put into service in a moment" in said
    store.reload()
    assert show(*files(folder)) == 0
    said = capsys.readouterr().out
    assert "60 days left" in said
    assert "moment" not in said
    store.close()
    assert show(*files(folder)) == 0
    assert "No labgate with the state folder" in capsys.readouterr().out


def test_a_temporary_one_is_not_good(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    running(state, tmp_path / "pair", deferred=True)
    assert show(*files(tmp_path / "pair")) == 1
    said = capsys.readouterr().out
    assert "temporary" in said
    assert "There is no certificate at" in said


@pytest.mark.usefixtures("state")
def test_without_tls_there_is_nothing_to_show(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LABGATE_LISTEN__TLS", "false")
    assert show() == 0
    assert "needs no certificate" in capsys.readouterr().out


def test_markup_in_what_a_ca_says_is_text(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair(tmp_path / "pair", NAME)
    running(state, tmp_path / "pair").report_renewal(NAME, last_error="[/red] no such tag [bold]")
    assert show(*files(tmp_path / "pair")) == 0
    assert "[/red] no such tag [bold]" in capsys.readouterr().out


def test_a_running_labgate_is_not_asked_about_names_it_does_not_serve(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its certificate may be for them; what it serves is another matter."""
    folder = tmp_path / "pair"
    pair(folder, NAME, "www.example.org", days=30.5)
    store = running(state, folder)
    pair(folder, NAME, "www.example.org", days=60.5)
    assert command(["cert", "show", "--domain", "www.example.org", *map(str, files(folder))]) == 0
    said = capsys.readouterr().out
    assert "60 days left" in said, "what the files hold"
    assert f"serves {NAME} and not www.example.org: this is what the files hold" in said
    assert "in service now" not in said
    assert "put into service in a moment" not in said
    store.close()


def test_a_running_labgate_is_not_asked_about_localhost(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair(tmp_path / "pair", NAME)
    store = running(state, tmp_path / "pair")
    assert command(["cert", "show"]) == 1
    said = capsys.readouterr().out
    assert "labgate makes it when it starts" in said
    assert f"serves {NAME} and not localhost" in said
    store.close()


def test_other_files_for_the_same_name_are_not_in_service(
    state: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pair(tmp_path / "pair", NAME)
    pair(tmp_path / "other", NAME, days=60.5)
    store = running(state, tmp_path / "pair")
    assert show(*files(tmp_path / "other")) == 0
    said = capsys.readouterr().out
    assert "60 days left" in said
    assert f"serves these names from {tmp_path}/pair/fullchain.pem: what is shown here of" in said
    store.close()
