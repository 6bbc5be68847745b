"""The container image, built from this checkout as the README says."""

from __future__ import annotations

import http.server
import json
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
from tests.deployment.machine import DEBIAN, MAKE_DEBIAN
from tests.e2e.programs import ROOT
from tests.engine_names import LABEL, PREFIX, new_name
from tests.package_index import package_index

HEALTHY_SECONDS = 60.0

# No image can be pulled where these tests run: this one is what python:…-slim is in kind, Debian's
# minbase with Python and without what that image leaves out: documents but for the licences,
# manuals, translations, apt's lists and archives, and byte code.
SLIM = f"""
FROM {DEBIAN} AS whole
LABEL {LABEL}={PREFIX}
RUN find / -xdev -type d -name __pycache__ -prune -exec rm -r {{}} + \\
 && find /usr/share/doc -not -type d -not -name copyright -delete \\
 && find /usr/share/locale -mindepth 2 -delete \\
 && rm -rf /usr/share/man/* /usr/share/info/* /usr/share/lintian/* \\
    /var/lib/apt/lists/* /var/cache/apt/* /var/cache/debconf/*-old /var/lib/dpkg/*-old
FROM scratch
LABEL {LABEL}={PREFIX}
COPY --from=whole / /
"""


def docker(*arguments: str, timeout: float = 60) -> str:
    """What the docker command says."""
    ran = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=timeout, check=False
    )
    assert ran.returncode == 0, f"docker {' '.join(arguments)}\n{ran.stdout}\n{ran.stderr}"
    return ran.stdout.strip()


def answers(*arguments: str) -> bool:
    """Whether the docker command ends with 0."""
    if shutil.which("docker") is None:
        return False
    ran = subprocess.run(["docker", *arguments], capture_output=True, timeout=60, check=False)
    return ran.returncode == 0


def inspect(name: str) -> dict[str, Any]:
    """What the engine knows of a container or an image."""
    found: dict[str, Any] = json.loads(docker("inspect", name))[0]
    return found


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
    (folder / "config").mkdir()
    for name in (
        *("Dockerfile", ".dockerignore", "pyproject.toml", "README.md", "LICENSE"),
        *(".ci/build.lock", ".ci/runtime.lock"),
        *("config/labgate.service", "config/labgate.socket", "config/labgate.toml"),
    ):
        shutil.copy(ROOT / name, folder / name)
    (folder / "ca.pem").write_text(authorities)
    return folder


@contextmanager
def built_slim_image(folder: Path) -> Iterator[str]:
    """What stands in for the Dockerfile's own base; removed at the end.

    Args:
        folder: An empty one.
    """
    require(shutil.which("docker"), "no docker command", INSTALL_DOCKER)
    require(answers("version"), "no Docker Engine answers", INSTALL_DOCKER)
    require(answers("image", "inspect", DEBIAN), f"no image {DEBIAN} to build on", MAKE_DEBIAN)
    (folder / "Dockerfile").write_text(SLIM)
    name = f"{new_name()}:slim"
    try:
        docker("build", "--quiet", "--network", "none", "--tag", name, str(folder), timeout=300)
        yield name
    finally:
        answers("image", "rm", name)
        answers("image", "prune", "--force", "--filter", f"label={LABEL}={PREFIX}")


@contextmanager
def built_image(slim: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image, built where the index has a certificate of a CA that only ca.pem holds.

    Args:
        slim: What it is built on.
        tmp_path_factory: Makes the folders that it is built from.
    """
    tag, base = f"{new_name()}:labgate", f"{new_name()}:base"
    folder = tmp_path_factory.mktemp("base")
    with ExitStack() as stack:
        index, authority = stack.enter_context(_inspected())
        (folder / "pip.conf").write_text(f"[global]\nindex-url = {index}\n")
        (folder / "Dockerfile").write_text(
            # The label is on all stages that are built on it, and finds them to be removed.
            f"FROM {slim}\nCOPY pip.conf /etc/pip.conf\nLABEL {LABEL}={PREFIX}\n"
        )
        label = f"label={LABEL}={PREFIX}"
        stack.callback(answers, "image", "prune", "--force", "--filter", label)
        docker("build", "--quiet", "--tag", base, str(folder))
        stack.callback(answers, "image", "rm", base)
        # A machine behind a proxy that re-signs TLS knows that proxy's authority.
        known = Path("/etc/ssl/certs/ca-certificates.crt").read_text("ascii")
        checkout = _checkout(tmp_path_factory.mktemp("checkout"), known + authority)
        arguments = ("--network", "host", "--build-arg", f"PYTHON_IMAGE={base}")
        docker("build", *arguments, "--quiet", "--tag", tag, str(checkout), timeout=600)
        stack.callback(answers, "image", "rm", tag)
        yield tag


def until_healthy(name: str) -> None:
    """Wait for the health check of a container; the engine repeats it every few seconds."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while True:
        state = inspect(name)["State"]
        if state["Health"]["Status"] == "healthy":
            return
        if not state["Running"] or time.monotonic() > deadline:
            pytest.fail(f"{state}\n{docker('logs', name)}")
        time.sleep(0.5)
