"""The image as a sidecar: built, configured by environment alone, healthy, stopped."""

from __future__ import annotations

import gzip
import http.client
import json
import re
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

import proxy
from tests.conftest import INSTALL_DOCKER, require
from tests.deployment.image import answers, docker, inspect, until_healthy
from tests.deployment.machine import DEBIAN, MAKE_DEBIAN
from tests.e2e.programs import ROOT
from tests.engine_names import LABEL, PREFIX, new_name

DOMAIN = "lab.example.org"
SOONER = ("--health-interval", "1s")

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


@pytest.fixture
def network() -> Iterator[str]:
    """A network with the stand-in for Jupyter on it, as ``jupyter``."""
    name = new_name()
    with ExitStack() as stack:
        docker("network", "create", name)
        stack.callback(answers, "network", "rm", name)
        place = ("--name", f"{name}-jupyter", "--network", name, "--network-alias", "jupyter")
        docker("run", "--detach", "--rm", *place, DEBIAN, "python3", "-c", UPSTREAM)
        stack.callback(answers, "rm", "--force", f"{name}-jupyter")
        yield name


@pytest.fixture
def sidecar(labgate_image: str, network: str) -> Iterator[str]:
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
    docker("run", "--detach", *place, *SOONER, *confined, *given, labgate_image)
    try:
        until_healthy(name)
        yield name
    finally:
        answers("rm", "--force", "--volumes", name)


def _get(port: int, path: str, **fields: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", path, headers=fields)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_it_serves_its_upstream(sidecar: str) -> None:
    port = int(docker("port", sidecar, "80/tcp").rpartition(":")[2])
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
    assert inspect(sidecar)["Config"]["User"] == "65532:65532"
    users = docker("top", sidecar, "-eo", "pid,uid").splitlines()[1:]
    assert users
    assert {line.split()[1] for line in users} == {"65532"}


def test_sigterm_stops_it_cleanly(sidecar: str) -> None:
    docker("kill", "--signal", "TERM", sidecar)
    assert docker("wait", sidecar, timeout=60) == "0"


def test_localhost_gets_a_development_certificate(labgate_image: str, network: str) -> None:
    """Without a domain it is HTTPS on 8443, its CA kept in the volume."""
    name = f"{network}-labgate"
    given = ("--env", "LABGATE_UPSTREAM__URL=http://jupyter:8888")
    docker("run", "--detach", "--name", name, "--network", network, *SOONER, *given, labgate_image)
    try:
        until_healthy(name)
        authority = docker("exec", name, "cat", "/var/lib/labgate/ca.pem")
        assert authority.startswith("-----BEGIN CERTIFICATE-----")
    finally:
        answers("rm", "--force", "--volumes", name)


def test_a_mistake_in_the_environment_is_named(labgate_image: str) -> None:
    ran = subprocess.run(
        [
            "docker",
            "run",
            "--rm",
            "--network",
            "none",
            "--env",
            "LABGATE_UPSTREAM__ULR=http://jupyter:8888",
            labgate_image,
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 2
    assert "LABGATE_UPSTREAM__ULR" in ran.stderr


def test_it_holds_labgate_and_nothing_to_build_with(labgate_image: str) -> None:
    program = (
        "import importlib.metadata as m, json, pathlib;"
        "print(json.dumps([sorted(d.name.lower() for d in m.distributions()),"
        " [str(p) for p in (*pathlib.Path('/src').glob('*'), *pathlib.Path('/').glob('*.pem'))]]))"
    )
    said = docker(
        "run", "--rm", "--network", "none", "--entrypoint", "python", labgate_image, "-c", program
    )
    names, left = json.loads(said)
    assert "labgate" in names
    assert not {"pip", "setuptools", "hatchling", "pytest", "jupyterlab"} & set(names)
    assert left == []


def test_ca_pem_may_be_missing(tmp_path: Path) -> None:
    """No builder stops at the line that copies it."""
    require(answers("version"), "no Docker Engine answers", INSTALL_DOCKER)
    require(answers("image", "inspect", DEBIAN), f"no image {DEBIAN} to build on", MAKE_DEBIAN)
    (copied,) = re.findall(r"(?m)^COPY .*ca\.pe.*$", (ROOT / "Dockerfile").read_text("utf-8"))
    (tmp_path / ".ci").mkdir()
    for name in (".ci/build.lock", ".ci/runtime.lock"):
        shutil.copy(ROOT / name, tmp_path / name)
    (tmp_path / "Dockerfile").write_text(f"FROM {DEBIAN}\nLABEL {LABEL}={PREFIX}\n{copied}\n")
    tag = f"{new_name()}:ca"
    try:
        docker("build", "--quiet", "--tag", tag, str(tmp_path))
        said = docker("run", "--rm", "--network", "none", tag, "ls", "-A", ".ci")
        assert said.split() == ["build.lock", "runtime.lock"]
    finally:
        answers("image", "rm", "--force", tag)


# As OpenShift runs everything: a user that the image does not know, in group 0.
SOMEBODY = "1000680000:0"


def test_any_user_of_group_0(labgate_image: str, network: str) -> None:
    """With a root that cannot be written, and commands that find the running labgate."""
    name = f"{network}-labgate"
    given = ("--env", "LABGATE_UPSTREAM__URL=http://jupyter:8888", "--user", SOMEBODY)
    confined = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")
    place = ("--name", name, "--network", network)
    docker("run", "--detach", *place, *SOONER, *given, *confined, labgate_image)
    try:
        until_healthy(name)
        assert "no admin socket" not in docker("logs", name)
    finally:
        answers("rm", "--force", "--volumes", name)


def test_the_health_check_needs_no_shell(labgate_image: str) -> None:
    assert inspect(labgate_image)["Config"]["Healthcheck"]["Test"][0] == "CMD"


def test_its_labels(labgate_image: str) -> None:
    labels = inspect(labgate_image)["Config"]["Labels"]
    assert labels["org.opencontainers.image.title"] == "labgate"
    assert labels["org.opencontainers.image.version"] == proxy.__version__
    assert labels["org.opencontainers.image.licenses"] == "MIT"


MAX_MEGABYTES = 90
"""Of what the Dockerfile adds."""
MAX_COMPRESSED_MEGABYTES = 120
"""Of all that somebody pulls who has nothing of it yet."""


def _compressed_megabytes(image: str, folder: Path) -> float:
    """The sum of its layers as a registry stores them: each compressed with gzip."""
    archive = folder / "saved.tar"
    docker("save", "--output", str(archive), image, timeout=300)
    with tarfile.open(archive) as saved:

        def read(name: str) -> bytes:
            file = saved.extractfile(name)
            assert file is not None
            return file.read()

        layers = set(json.loads(read("manifest.json"))[0]["Layers"])
        return sum(len(gzip.compress(read(layer), 6)) for layer in layers) / 1e6


def test_its_size(labgate_image: str, slim_image: str, tmp_path: Path) -> None:
    """What is added to the base, and what all of it is compressed; -rP prints both figures.

    The base is no python:…-slim, because nothing can be pulled here, but in kind the same:
    Debian's minbase with Python and its venv module, less what the slim image leaves out, which
    ``image.SLIM`` lists. It has 112 MB, and 43 MB compressed; the real one has a few MB more.
    """
    sizes = [inspect(image)["Size"] / 1e6 for image in (labgate_image, slim_image)]
    compressed = [_compressed_megabytes(image, tmp_path) for image in (labgate_image, slim_image)]
    added = sizes[0] - sizes[1]
    print(
        f"{added:.1f} MB above the base of {sizes[1]:.1f} MB; compressed {compressed[0]:.1f} MB, "
        f"of which the base has {compressed[1]:.1f} MB"
    )
    assert added <= MAX_MEGABYTES
    assert compressed[0] <= MAX_COMPRESSED_MEGABYTES
