"""``labgate up --email`` against a real CA, ``labgate cert``, and real certbot beside it."""

from __future__ import annotations

import os
import shutil
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import OWN_PIP, require
from tests.e2e.programs import ROOT, Labgate, free_port, until
from tests.e2e.test_sslyze import sslyze
from tests.pebble import Dns, Pebble, pebble

NAME, OTHER = "lab.example.org", "www.example.org"
DOMAINS = ("--domain", NAME, "--domain", OTHER)
EMAIL = ("--email", "me@example.org")
HERE = ("--bind", "127.0.0.1")


@pytest.fixture
def ports() -> tuple[int, int]:
    """HTTP and HTTPS: labgate's, and those that Pebble asks."""
    return free_port(), free_port()


@pytest.fixture
def ca(tmp_path: Path, ports: tuple[int, int]) -> Iterator[tuple[Pebble, Dns]]:
    with pebble(tmp_path / "ca", http_port=ports[0], tls_port=ports[1]) as running:
        yield running


class Public(Labgate):
    """A labgate for a real domain, on the ports that Pebble asks."""

    def __init__(self, folder: Path, authority: Pebble, ports: tuple[int, int], *args: str) -> None:
        super().__init__(folder, *args, environment=authority.settings)
        self.http_port, self.https_port = ports


def public(folder: Path, ca: Pebble, ports: tuple[int, int], *arguments: str) -> Public:
    folder.mkdir(exist_ok=True)
    return Public(folder, ca, ports, "up", "--launch", "none", *HERE, *arguments)


def cert(
    folder: Path, ca: Pebble, ports: tuple[int, int], action: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """``labgate cert …`` of the same user, state folder and CA."""
    folder.mkdir(exist_ok=True)
    given = [action, *DOMAINS, *arguments]
    if action != "show":
        given += [*HERE, "--http-port", str(ports[0]), "--https-port", str(ports[1])]
    environment = {"HOME": str(folder), "XDG_STATE_HOME": str(folder), **ca.settings}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LABGATE_")}
    return subprocess.run(
        [sys.executable, "-m", "proxy", "cert", *given],
        cwd=ROOT,
        env=kept | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def serial(port: int, trust: ssl.SSLContext, name: str = NAME) -> str:
    """Of the certificate in service; empty while none that is trusted is."""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
            trust.wrap_socket(plain, server_hostname=name) as connection,
        ):
            found = connection.getpeercert()
    except ssl.SSLCertVerificationError:
        return ""
    assert found is not None
    return str(found["serialNumber"])


@pytest.mark.parametrize("kind", ["http-01", "tls-alpn-01"])
def test_up_obtains_and_renews(
    tmp_path: Path, ca: tuple[Pebble, Dns], ports: tuple[int, int], kind: str
) -> None:
    ca[0].settings["LABGATE_ACME__CHALLENGES"] = kind
    trust, state = ca[0].root(), tmp_path / "labgate"
    with public(state, ca[0], ports, *DOMAINS, *EMAIL) as labgate:
        # Everything is served while the CA is asked: the lines are there before.
        assert NAME in labgate.log
        first = until(lambda: serial(ports[1], trust), lambda: labgate.log)
        assert serial(ports[1], trust, OTHER) == first
        again = cert(state, ca[0], ports, "obtain", *EMAIL)
        assert again.returncode == 0, again
        assert "valid until" in again.stdout
        forced = cert(state, ca[0], ports, "renew", "--force", *EMAIL)
        assert forced.returncode == 0, forced
        for step in (
            "the running labgate answers",
            "ordering",
            f"{kind} published",
            "validated",
            "issued",
        ):
            assert step in forced.stdout, forced
        assert "written to" in forced.stdout
        until(lambda: serial(ports[1], trust) not in ("", first), lambda: labgate.log)
        assert labgate.running.poll() is None
        shown = cert(state, ca[0], ports, "show", *EMAIL)
        assert shown.returncode == 0, shown
        assert "ACME" in shown.stdout
        assert "by labgate" in shown.stdout
        assert labgate.stop() == 0
        assert "Traceback" not in labgate.log


def test_of_two_with_one_state_folder_one_renews(
    tmp_path: Path, ca: tuple[Pebble, Dns], ports: tuple[int, int]
) -> None:
    """On other ports, and so never asked by the CA: whoever orders, the first one answers."""
    trust, state = ca[0].root(), tmp_path / "labgate"
    beside = (free_port(), free_port())
    arguments = ("--upstream", "http://127.0.0.1:9", *HERE, *DOMAINS, *EMAIL, "--workers", "2")
    with (
        public(state, ca[0], ports, *DOMAINS, *EMAIL) as first,
        Public(state, ca[0], beside, "serve", *arguments) as second,
    ):
        served = until(lambda: serial(ports[1], trust), lambda: first.log + second.log)
        until(lambda: serial(beside[1], trust) == served, lambda: second.log)
        orders = [line for line in ca[0].printed.splitlines() if "Added order" in line]
        assert len(orders) == 1, ca[0].printed
        assert second.stop() == 0
        assert first.stop() == 0


def test_sslyze_finds_the_issued_certificate_intermediate(
    tmp_path: Path, ca: tuple[Pebble, Dns], ports: tuple[int, int]
) -> None:
    root = tmp_path / "root.pem"
    root.write_text(ca[0].root_pem())
    with public(tmp_path / "labgate", ca[0], ports, *DOMAINS, *EMAIL) as labgate:
        until(lambda: serial(ports[1], ca[0].root()), lambda: labgate.log)
        scan = sslyze(f"{NAME}:{ports[1]}{{127.0.0.1}}", root)
    assert scan.returncode == 0, scan.stdout + scan.stderr
    assert f"{NAME}:{ports[1]}: OK - Compliant." in scan.stdout


def test_up_says_what_it_waits_for(
    tmp_path: Path, ca: tuple[Pebble, Dns], ports: tuple[int, int]
) -> None:
    """The CA does not find us; a temporary certificate serves, and the error is shown."""
    ca[1].tell("set-default-ipv4", ip="")
    state = tmp_path / "labgate"
    with public(state, ca[0], ports, *DOMAINS, *EMAIL) as labgate:
        assert NAME in labgate.facts["waiting"]
        until(lambda: "A and AAAA records" in labgate.log, lambda: labgate.log)
        assert serial(ports[1], ca[0].root()) == ""
        failed = "The last renewal failed"
        until(lambda: failed in cert(state, ca[0], ports, "show", *EMAIL).stdout, "not shown")
        shown = cert(state, ca[0], ports, "show", *EMAIL)
        assert shown.returncode == 1, shown
        assert "temporary" in shown.stdout


def test_without_email_and_files(
    tmp_path: Path, ca: tuple[Pebble, Dns], ports: tuple[int, int]
) -> None:
    labgate = public(tmp_path / "labgate", ca[0], ports, *DOMAINS).spawn()
    try:
        assert labgate.running.wait(60) == 1
        assert "--email" in labgate.log
        assert "Traceback" not in labgate.log
    finally:
        labgate.kill()


def test_obtain_by_hand(tmp_path: Path, ca: tuple[Pebble, Dns], ports: tuple[int, int]) -> None:
    """Nobody serves: the command answers the CA itself. `up` then needs no mail address."""
    state = tmp_path / "labgate"
    unnamed = cert(state, ca[0], ports, "obtain")
    assert unnamed.returncode == 2
    assert "--email" in unnamed.stderr
    ca[1].tell("set-default-ipv4", ip="")
    failed = cert(state, ca[0], ports, "obtain", *EMAIL)
    assert failed.returncode == 1
    assert "A and AAAA records" in failed.stderr
    assert "Traceback" not in failed.stderr
    ca[1].tell("set-default-ipv4", ip="127.0.0.1")
    done = cert(state, ca[0], ports, "obtain", *EMAIL)
    assert done.returncode == 0, done
    assert "answering the CA's challenges here" in done.stdout
    waits = cert(state, ca[0], ports, "renew")
    assert waits.returncode == 0
    assert "will be renewed at" in waits.stdout
    with public(state, ca[0], ports, *DOMAINS):
        assert serial(ports[1], ca[0].root())


@pytest.fixture
def certbot() -> str:
    """Real certbot: where CERTBOT says, beside this Python, or in PATH."""
    beside = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", "")))
    found = os.environ.get("CERTBOT") or shutil.which("certbot", path=beside)
    require(found, "no certbot", f"{OWN_PIP} install certbot && export CERTBOT=/tmp/V/bin/certbot")
    return str(found)


@pytest.fixture
def lenient_ca(tmp_path: Path, ports: tuple[int, int]) -> Iterator[tuple[Pebble, Dns]]:
    """One that refuses no nonce: certbot tries a request once more, and then gives up."""
    easy = {"PEBBLE_WFE_NONCEREJECT": "0"}
    with pebble(
        tmp_path / "ca", http_port=ports[0], tls_port=ports[1], environment=easy
    ) as running:
        yield running


def test_certbot_beside_us(
    tmp_path: Path, lenient_ca: tuple[Pebble, Dns], ports: tuple[int, int], certbot: str
) -> None:
    """Its webroot challenges go through labgate; what it writes is in service by itself."""
    ca = lenient_ca
    webroot, home = tmp_path / "webroot", tmp_path / "certbot"
    webroot.mkdir()
    folders = [f"--{kind}-dir={home / kind}" for kind in ("config", "work", "logs")]
    live = home / "config" / "live" / NAME

    def run(*arguments: str) -> None:
        ran = subprocess.run(
            [certbot, *arguments, *folders, "-n"],
            env=os.environ | {"REQUESTS_CA_BUNDLE": str(ca[0].ca_file)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        log = home / "logs" / "letsencrypt.log"
        assert ran.returncode == 0, ran.stderr + log.read_text(errors="replace")[-4000:]

    files = ("--cert", str(live / "fullchain.pem"), "--key", str(live / "privkey.pem"))
    trust = ca[0].root()
    with public(
        tmp_path / "labgate", ca[0], ports, *DOMAINS, *files, "--webroot", str(webroot)
    ) as labgate:
        asked = ("--webroot", "-w", str(webroot), "-d", NAME, "-d", OTHER)
        run("certonly", *asked, "--server", ca[0].directory, "--agree-tos", "-m", "me@example.org")
        first = until(lambda: serial(ports[1], trust), lambda: labgate.log)
        run("renew", "--force-renewal", "--no-random-sleep-on-renew")
        until(lambda: serial(ports[1], trust) not in ("", first), lambda: labgate.log)
        assert labgate.running.poll() is None
