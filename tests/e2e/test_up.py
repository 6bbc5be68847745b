"""``labgate up`` from the first line to Ctrl-C, and what it says when it cannot start."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import trustme

from tests.conftest import TEST_IMAGE
from tests.e2e.containers import docker
from tests.e2e.programs import ROOT, Labgate, free_port, until

NAVIGATION = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate"}


def interrupt(labgate: Labgate) -> int:
    """Ctrl-C in labgate's terminal: SIGINT for its whole process group; the exit code."""
    os.killpg(labgate.pid, signal.SIGINT)
    return labgate.running.wait(30)


def opens(labgate: Labgate) -> None:
    """The address opens Lab for a client that trusts the printed CA, and redirects."""
    address = urlsplit(labgate.opens)
    assert address.netloc == f"localhost:{labgate.https_port}"
    assert labgate.token not in labgate.log, "a log holds no secret"
    authority = labgate.facts["trust"].split()[-1]
    assert Path(authority) == labgate.authority
    answer = labgate.ask("GET", f"{address.path}?{address.query}")
    assert answer.status == 200
    assert b"JupyterLab" in answer.body
    assert labgate.ask("GET", address.path).status == 302, "without the token: to the login"

    with_tls, labgate.tls = labgate.tls, False
    moved = labgate.ask("GET", "/lab?x=1", Host=f"localhost:{labgate.http_port}")
    labgate.tls = with_tls
    assert moved.status == 301
    assert moved.fields["Location"] == f"{labgate.origin}/lab?x=1"


def launched_process(labgate: Labgate) -> psutil.Process:
    """The Jupyter that labgate runs."""
    (child,) = until(psutil.Process(labgate.pid).children, "no child process")
    return child


@pytest.mark.jupyter
@pytest.mark.usefixtures("jupyterlab")
class TestProcess:
    def test_from_start_to_ctrl_c(self, tmp_path: Path) -> None:
        work = tmp_path / "work"
        work.mkdir()
        arguments = ("--launch", "process", "--folder", str(work))
        with Labgate(tmp_path, "up", *arguments) as labgate:
            assert {"open", "log_in", "jupyter", "trust", "stop"} <= labgate.facts.keys()
            assert str(work) in labgate.facts["jupyter"]
            opens(labgate)
            jupyter = launched_process(labgate)
            assert f"process {jupyter.pid} " in labgate.facts["jupyter"]
            assert interrupt(labgate) == 0
            assert "Traceback" not in labgate.log
            assert not jupyter.is_running()

    def test_ctrl_c_while_jupyter_starts(self, tmp_path: Path) -> None:
        """Until then browsers see a page that waits, programs a 503 to try again."""
        arguments = ("--launch", "process", "--folder", str(tmp_path))
        labgate = Labgate(tmp_path, "up", *arguments).spawn()
        try:
            jupyter = launched_process(labgate)
            until(labgate.authority.exists, "no development CA")
            page = labgate.ask("GET", "/lab", **NAVIGATION)
            assert (page.status, page.fields["Retry-After"]) == (503, "2")
            assert b"opens by itself" in page.body
            assert labgate.ask("GET", "/.labgate/health").status == 200
            assert labgate.ask("GET", "/.labgate/ready").status == 503
            assert interrupt(labgate) == 0
            assert "Traceback" not in labgate.log
            assert not jupyter.is_running()
        finally:
            labgate.kill()


def read_until(terminal: int, words: bytes) -> bytes:
    """What comes from a terminal up to these words, styles left out."""
    output = b""
    while words not in output:
        assert select.select([terminal], [], [], 60)[0], output.decode()
        output = re.sub(rb"\x1b\[[0-9;]*m", b"", output + os.read(terminal, 4096))
    return output


@pytest.mark.docker
class TestContainer:
    def test_from_start_to_ctrl_c(self, name: str, tmp_path: Path) -> None:
        volume = f"{name}:/home/jovyan/work"
        arguments = ("--launch", "docker", "--image", TEST_IMAGE, "--name", name)
        labgate = Labgate(tmp_path, "up", *arguments, "--volume", volume)
        with labgate:
            assert {"open", "log_in", "jupyter", "trust", "stop"} <= labgate.facts.keys()
            assert f"container {name} (image {TEST_IMAGE}), created" in labgate.facts["jupyter"]
            opened = labgate.opens
            opens(labgate)
            home = f"/home/jovyan in volume {name}-home"
            assert labgate.facts["work"] == f"{home}; /home/jovyan/work in volume {name}"
            docker("exec", name, "sh", "-c", "echo kept | tee /home/jovyan/work/file > saved")
            bindings = docker("inspect", "--format", "{{json .HostConfig.PortBindings}}", name)
            assert "127.0.0.1" in bindings
            assert interrupt(labgate) == 0
            assert "Traceback" not in labgate.log
            assert docker("inspect", "--format", "{{.State.Running}}", name) == "false"

        with labgate:
            assert ", started" in labgate.facts["jupyter"]
            assert labgate.opens == opened, "same address, same token"
            assert docker("exec", name, "cat", "/home/jovyan/work/file") == "kept"

        docker("rm", "--force", name)
        with labgate:
            assert ", created" in labgate.facts["jupyter"]
            assert docker("exec", name, "cat", "work/file", "saved") == "kept\nkept"

    def test_at_a_terminal_it_asks_before_it_replaces(self, name: str, tmp_path: Path) -> None:
        arguments = ("--launch", "docker", "--image", TEST_IMAGE, "--name", name, "--volume", "")
        with Labgate(tmp_path, "up", *arguments) as labgate:
            token = labgate.token
            opened = labgate.ask("POST", "/api/terminals", Authorization=f"token {token}")
            assert opened.status == 200
            labgate.kill()
        terminal = labgate.spawn_at_terminal(after=("--memory-limit", "1g"))
        try:
            output = read_until(terminal, b"Replace it? [y/N] ")
            assert b"(memory limit: was none, will be 1 GiB), and 1 terminal is open" in output
            os.write(terminal, b"n\n")
            output = read_until(terminal, b"Ctrl-C stops labgate and Jupyter")
            assert b"adopted as it is" in output
            assert f"/lab?token={token}\r\n".encode() in output
            os.write(terminal, b"\x03")
            read_until(terminal, b"Stopping")
            assert labgate.running.wait(30) == 0
        finally:
            os.close(terminal)
            labgate.kill()

    def test_a_container_of_somebody_else_is_left_alone(self, name: str, tmp_path: Path) -> None:
        docker("run", "--detach", "--name", name, "--entrypoint", "sleep", TEST_IMAGE, "300")
        looked = ("inspect", "--format", "{{.Id}} {{.Name}} {{.State.StartedAt}}", name)
        before = docker(*looked)
        arguments = ("--launch", "docker", "--image", TEST_IMAGE, "--name", name)
        labgate = Labgate(tmp_path, "up", *arguments).spawn()
        try:
            assert labgate.running.wait(30) == 1
        finally:
            labgate.kill()
        assert f"labgate: Container {name} was not made by labgate" in labgate.log
        assert "--name OTHER" in labgate.log
        assert docker(*looked) == before


@dataclass
class Mistake:
    """A start that cannot work: what is typed, and what must be said about it."""

    name: str
    arguments: str
    says: tuple[str, ...]
    code: int = 1
    environment: dict[str, str] = field(default_factory=dict)


SERVE = "serve --upstream http://127.0.0.1:8888"
PORTS = "--https-port FREE --http-port 0"

MISTAKES = [
    Mistake(
        "the HTTPS port is taken",
        f"{SERVE} --https-port TAKEN --http-port 0",
        ("127.0.0.1:TAKEN is taken", "--https-port"),
    ),
    Mistake(
        "the HTTP port is taken",
        f"{SERVE} --https-port FREE --http-port TAKEN",
        ("127.0.0.1:TAKEN is taken", "--http-port"),
    ),
    Mistake(
        "not an address of this machine",
        f"{SERVE} {PORTS} --bind 192.0.2.1",
        ("--bind 192.0.2.1", "not an address of this machine"),
    ),
    Mistake(
        "no certificate",
        f"{SERVE} {PORTS} --domain lab.example.org",
        ("/etc/letsencrypt/live/lab.example.org/fullchain.pem", "certbot certonly"),
    ),
    Mistake(
        "a key that belongs to another certificate",
        f"{SERVE} {PORTS} --domain lab.example.org --cert TMP/good.pem --key TMP/expired.key",
        ("TMP/good.pem and TMP/expired.key", "do not belong together"),
    ),
    Mistake(
        "an expired certificate",
        f"{SERVE} {PORTS} --domain lab.example.org --cert TMP/expired.pem --key TMP/expired.key",
        ("TMP/expired.pem expired on 20", "certbot renew"),
    ),
    Mistake(
        "a certificate for another name",
        f"{SERVE} {PORTS} --domain other.example.org --cert TMP/good.pem --key TMP/good.key",
        ("No certificate is for other.example.org", "names lab.example.org"),
    ),
    Mistake(
        "a state folder that cannot be",
        f"{SERVE} {PORTS}",
        ("TMP/good.pem", "state.folder"),
        environment={"LABGATE_STATE__FOLDER": "TMP/good.pem/state"},
    ),
    Mistake(
        "a state folder that is a file",
        f"{SERVE} {PORTS}",
        ("TMP/good.pem", "state.folder"),
        environment={"LABGATE_STATE__FOLDER": "TMP/good.pem"},
    ),
    Mistake(
        "the engine does not answer",
        f"up {PORTS} --launch docker",
        ("/nonexistent",),
        environment={"DOCKER_HOST": "unix:///nonexistent"},
    ),
    Mistake(
        "a work folder that is not there",
        f"up {PORTS} --launch process --folder TMP/none",
        ("TMP/none does not exist", "mkdir -p TMP/none", "--folder"),
    ),
    Mistake(
        "a work folder that is a file",
        f"up {PORTS} --launch process --folder TMP/good.pem",
        ("TMP/good.pem is not a folder", "--folder"),
    ),
    Mistake("no upstream", f"serve {PORTS}", ("--upstream http://127.0.0.1:8888",), 2),
    Mistake("an upstream without scheme", f"serve {PORTS} --upstream 127.0.0.1:8888", ("http",), 2),
    Mistake(
        "no file with the authorities of an upstream with TLS",
        f"serve {PORTS} --upstream https://a",
        ("TMP/none", "authorities for the upstream"),
        environment={"LABGATE_UPSTREAM__CA": "TMP/none"},
    ),
    Mistake("a relative socket", f"serve {PORTS} --upstream unix:a", ("absolute path",), 2),
    Mistake(
        "an upstream besides the one to launch",
        f"up {PORTS} --upstream http://127.0.0.1:8888",
        ("--launch none",),
        2,
    ),
    Mistake(
        "an unknown key in the file",
        f"{SERVE} {PORTS} --config TMP/unknown.toml",
        ("TMP/unknown.toml: site.domain: unknown key", "did you mean domains?"),
        2,
    ),
    Mistake(
        "an unknown key in the environment",
        f"{SERVE} {PORTS}",
        ("LABGATE_SITE__DOMAIN: unknown key", "did you mean domains?"),
        2,
        {"LABGATE_SITE__DOMAIN": "lab.example.org"},
    ),
    Mistake(
        "a file that is not TOML",
        f"{SERVE} {PORTS} --config TMP/good.pem",
        ("TMP/good.pem", "TOML"),
        2,
    ),
    Mistake("a file that is not there", f"{SERVE} --config TMP/none", ("TMP/none",), 2),
    Mistake("a port that is none", f"{SERVE} --https-port 70000", ("--https-port: '70000'",), 2),
    Mistake("a port that is no number", f"{SERVE} --https-port x", ("--https-port: 'x'",), 2),
    Mistake("a domain that is an address", f"{SERVE} --domain https://a", ("bare name",), 2),
    Mistake("a certificate without key", f"{SERVE} --cert TMP/good.pem", ("in pairs",), 2),
    Mistake(
        "a memory limit that is none", "up --memory-limit lots", ("--memory-limit: 'lots'", "4g"), 2
    ),
    Mistake(
        "a password hash without its prefix",
        "up --password $argon2id$v=19$m=10240,t=10,p=8$c2FsdHNhbHQ$aGFzaGhhc2g",
        ("--password: ", "labgate password"),
        2,
    ),
    Mistake(
        "a password instead of its hash",
        "up --password swordfish",
        ("--password: ", "labgate password"),
        2,
    ),
]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates good and expired, and a configuration file with a typing mistake."""
    folder = tmp_path_factory.mktemp("files")
    authority = trustme.CA()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    for name, leaf in {
        "good": authority.issue_cert("lab.example.org"),
        "expired": authority.issue_cert("lab.example.org", not_after=yesterday),
    }.items():
        leaf.private_key_pem.write_to_path(folder / f"{name}.key")
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(folder / f"{name}.pem", append=True)
    (folder / "unknown.toml").write_text('[site]\ndomain = "lab.example.org"\n')
    return folder


@pytest.fixture(scope="module")
def fill(files: Path) -> Iterator[Callable[[str], str]]:
    """Puts folders and ports where a mistake names them."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        values = {"TMP": str(files), "TAKEN": str(port), "FREE": str(free_port())}
        yield lambda text: re.sub("TMP|TAKEN|FREE", lambda found: values[found[0]], text)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_start_that_cannot_work_says_why(
    mistake: Mistake, fill: Callable[[str], str], tmp_path: Path
) -> None:
    given = {name: fill(value) for name, value in mistake.environment.items()}
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LABGATE_")}
    ran = subprocess.run(
        [sys.executable, "-m", "proxy", *fill(mistake.arguments).split()],
        cwd=ROOT,
        env=clean | {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)} | given,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    said = ran.stderr
    print(said)
    for words in mistake.says:
        assert fill(words) in said
    assert ran.returncode == mistake.code
    assert "Traceback" not in said
    assert said.startswith("labgate: ")
    assert len(re.findall(r"[.?!](?=\s)", said)) <= 2, "two sentences at most"
    assert "swordfish" not in said
    assert not ran.stdout


def test_everything_wrong_with_the_configuration_is_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "labgate.toml"
    file.write_text('[site]\ndomain = "a.example"\n[listen]\nhttps_port = "many"\n')
    ran = subprocess.run(
        [sys.executable, "-m", "proxy", "up", "--config", str(file), "--memory-limit", "lots"],
        cwd=ROOT,
        env={**os.environ, "LABGATE_LOG__LEVEL": "loud", "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert ran.returncode == 2
    for key in ("site.domain", "listen.https_port", "LABGATE_LOG__LEVEL", "--memory-limit"):
        assert f": {key}: " in ran.stderr
