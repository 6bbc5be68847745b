"""The image as a sidecar: built, configured by environment alone, healthy, stopped."""

from __future__ import annotations

import http.client
import http.server
import json
import re
import shutil
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from tests.conftest import INSTALL_DOCKER, require
from tests.engine_names import LABEL, PREFIX, new_name
from tests.package_index import package_index

ROOT = Path(__file__).parent.parent.parent
DEBIAN = "labbase:bookworm"
"""Debian with python3 and its venv module, made without a registry by
``shared/jupyter-image/build``; the Dockerfile takes any such image as PYTHON_IMAGE."""
MAKE_DEBIAN = f"docker pull python:3.11-bookworm && docker tag python:3.11-bookworm {DEBIAN}"

DOMAIN = "lab.example.org"
SOONER = ("--health-interval", "1s")
HEALTHY_SECONDS = 40.0

UPSTREAM = """
import http.server, json

class Echo(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = json.dumps({"path": self.path, "fields": dict(self.headers)}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("0.0.0.0", 8888), Echo).serve_forever()
"""

pytestmark = [pytest.mark.docker, pytest.mark.deployment]


def _docker(*arguments: str, timeout: float = 60) -> str:
    ran = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert ran.returncode == 0, f"docker {' '.join(arguments)}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout.strip()


def _inspect(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_docker("inspect", name))[0]
    return found


def _answers(*arguments: str) -> bool:
    if shutil.which("docker") is None:
        return False
    ran = subprocess.run(["docker", *arguments], capture_output=True, timeout=60, check=False)
    return ran.returncode == 0


@contextmanager
def _inspected() -> Iterator[tuple[str, str]]:
    """A package index whose certificate is of a CA that nobody knows; its address, and the CA.

    It sends everybody on to this machine's, once the connection was trusted.
    """
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    index = package_index()

    class SendOn(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(302)
            self.send_header("Location", index + self.path.removeprefix("/simple"))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SendOn)
    server.socket = context.wrap_socket(
        server.socket, server_side=True, do_handshake_on_connect=False
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        pem = authority.cert_pem.bytes().decode("ascii")
        yield f"https://127.0.0.1:{server.server_address[1]}/simple", pem
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _checkout(folder: Path, authorities: str) -> Path:
    """What the Dockerfile takes of this checkout, and ca.pem beside it."""
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "proxy", folder / "proxy", ignore=ignored)
    (folder / ".ci").mkdir()
    for name in (
        *("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE"),
        *(".ci/build.lock", ".ci/runtime.lock"),
    ):
        shutil.copy(ROOT / name, folder / name)
    (folder / "ca.pem").write_text(authorities)
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built where the index has a certificate of a CA that only ca.pem holds."""
    require(shutil.which("docker"), "no docker command", INSTALL_DOCKER)
    require(_answers("version"), "no Docker Engine answers", INSTALL_DOCKER)
    require(_answers("image", "inspect", DEBIAN), f"no image {DEBIAN} to build on", MAKE_DEBIAN)
    tag, base = f"{new_name()}:labgate", f"{new_name()}:base"
    folder = tmp_path_factory.mktemp("base")
    with ExitStack() as stack:
        index, authority = stack.enter_context(_inspected())
        (folder / "pip.conf").write_text(f"[global]\nindex-url = {index}\n")
        (folder / "Dockerfile").write_text(
            # The label is on all stages that are built on it, and finds them to be removed.
            f"FROM {DEBIAN}\nCOPY pip.conf /etc/pip.conf\nLABEL {LABEL}={PREFIX}\n"
        )
        label = f"label={LABEL}={PREFIX}"
        stack.callback(_answers, "image", "prune", "--force", "--filter", label)
        _docker("build", "--quiet", "--tag", base, str(folder))
        stack.callback(_answers, "image", "rm", base)
        # A machine behind a proxy that re-signs TLS knows that proxy's authority.
        known = Path("/etc/ssl/certs/ca-certificates.crt").read_text("ascii")
        checkout = _checkout(tmp_path_factory.mktemp("checkout"), known + authority)
        arguments = ("--network", "host", "--build-arg", f"PYTHON_IMAGE={base}")
        _docker("build", *arguments, "--quiet", "--tag", tag, str(checkout), timeout=600)
        stack.callback(_answers, "image", "rm", tag)
        yield tag


@pytest.fixture
def network() -> Iterator[str]:
    """A network with the stand-in for Jupyter on it, as ``jupyter``."""
    name = new_name()
    with ExitStack() as stack:
        _docker("network", "create", name)
        stack.callback(_answers, "network", "rm", name)
        place = ("--name", f"{name}-jupyter", "--network", name, "--network-alias", "jupyter")
        _docker("run", "--detach", "--rm", *place, DEBIAN, "python3", "-c", UPSTREAM)
        stack.callback(_answers, "rm", "--force", f"{name}-jupyter")
        yield name


def _until_healthy(name: str) -> None:
    deadline = time.monotonic() + HEALTHY_SECONDS
    while True:
        state = _inspect(name)["State"]
        if state["Health"]["Status"] == "healthy":
            return
        if not state["Running"] or time.monotonic() > deadline:
            pytest.fail(f"{state}\n{_docker('logs', name)}")
        time.sleep(0.5)


@pytest.fixture
def sidecar(built: str, network: str) -> Iterator[str]:
    """A healthy container behind a TLS-terminating ingress, as compose.yaml runs it."""
    name = f"{network}-labgate"
    environment = {
        "LABGATE_UPSTREAM__URL": "http://jupyter:8888",
        "LABGATE_SITE__DOMAINS": DOMAIN,
        "LABGATE_LISTEN__TLS": "false",
    }
    given = [word for item in environment.items() for word in ("--env", "=".join(item))]
    confined = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    place = ("--name", name, "--network", network, "--publish", "127.0.0.1::80")
    _docker("run", "--detach", *place, *SOONER, *confined, *given, built)
    try:
        _until_healthy(name)
        yield name
    finally:
        _answers("rm", "--force", "--volumes", name)


def _get(port: int, path: str, **fields: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=fields)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_it_serves_its_upstream(sidecar: str) -> None:
    port = int(_docker("port", sidecar, "80/tcp").rpartition(":")[2])
    status, body = _get(port, "/api?a=%2F", Host=DOMAIN, Origin=f"https://{DOMAIN}")
    assert status == 200
    seen = json.loads(body)
    assert seen["path"] == "/api?a=%2F"
    assert seen["fields"]["Host"] == "jupyter:8888"
    assert seen["fields"]["Origin"] == "http://jupyter:8888"
    assert seen["fields"]["X-Forwarded-Proto"] == "https"
    status, _ = _get(port, "/api", Host="elsewhere.example.org")
    assert status == 421


def test_it_does_not_run_as_root(sidecar: str) -> None:
    assert _inspect(sidecar)["Config"]["User"] == "65532:65532"
    users = _docker("top", sidecar, "-eo", "pid,uid").splitlines()[1:]
    assert users
    assert {line.split()[1] for line in users} == {"65532"}


def test_sigterm_stops_it_cleanly(sidecar: str) -> None:
    _docker("kill", "--signal", "TERM", sidecar)
    assert _docker("wait", sidecar, timeout=60) == "0"


def test_localhost_gets_a_development_certificate(built: str, network: str) -> None:
    """Without a domain it is HTTPS on 8443, its CA kept in the volume."""
    name = f"{network}-labgate"
    given = ("--env", "LABGATE_UPSTREAM__URL=http://jupyter:8888")
    _docker("run", "--detach", "--name", name, "--network", network, *SOONER, *given, built)
    try:
        _until_healthy(name)
        authority = _docker("exec", name, "cat", "/var/lib/labgate/ca.pem")
        assert authority.startswith("-----BEGIN CERTIFICATE-----")
    finally:
        _answers("rm", "--force", "--volumes", name)


def test_a_mistake_in_the_environment_is_named(built: str) -> None:
    ran = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--network",
            "none",
            "--env",
            "LABGATE_UPSTREAM__ULR=http://jupyter:8888",
            built,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert "LABGATE_UPSTREAM__ULR" in ran.stderr


def test_it_holds_labgate_and_nothing_to_build_with(built: str) -> None:
    program = (
        "import importlib.metadata as m, json, pathlib;"
        "print(json.dumps([sorted(d.name.lower() for d in m.distributions()),"
        " [str(p) for p in (*pathlib.Path('/src').glob('*'), *pathlib.Path('/').glob('*.pem'))]]))"
    )
    said = _docker(
        "run", "--rm", "--network", "none", "--entrypoint", "python", built, "-c", program
    )
    names, left = json.loads(said)
    assert "labgate" in names
    assert not {"pip", "setuptools", "hatchling", "pytest", "jupyterlab"} & set(names)
    assert left == []


def test_ca_pem_may_be_missing(tmp_path: Path) -> None:
    """No builder stops at the line that copies it."""
    require(_answers("version"), "no Docker Engine answers", INSTALL_DOCKER)
    require(_answers("image", "inspect", DEBIAN), f"no image {DEBIAN} to build on", MAKE_DEBIAN)
    (copied,) = re.findall(r"(?m)^COPY .*ca\.pe.*$", (ROOT / "Dockerfile").read_text("utf-8"))
    (tmp_path / ".ci").mkdir()
    for name in (".ci/build.lock", ".ci/runtime.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "Dockerfile").write_text(f"FROM {DEBIAN}\nLABEL {LABEL}={PREFIX}\n{copied}\n")
    tag = f"{new_name()}:ca"
    try:
        _docker("build", "--quiet", "--tag", tag, str(tmp_path))
        said = _docker("run", "--rm", "--network", "none", tag, "ls", "-A", ".ci")
        assert said.split() == ["build.lock", "runtime.lock"]
    finally:
        _answers("image", "rm", "--force", tag)
