"""config/compose.yaml on the real engine, by whatever compose client there is."""

from __future__ import annotations

import http.client
import os
import secrets
import shutil
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PULL_TEST_IMAGE, TEST_IMAGE, require
from tests.deployment.image import answers, docker, until_healthy
from tests.e2e.programs import ROOT, until
from tests.engine_names import new_name

INSTALL_COMPOSE = "apt-get install docker-compose"
TOKEN = secrets.token_hex(24)

pytestmark = [pytest.mark.docker, pytest.mark.deployment]


def client() -> list[str]:
    """The compose client: the engine's plugin, or the older program of its own."""
    if answers("compose", "version"):
        return ["docker", "compose"]
    require(shutil.which("docker-compose"), "no compose client", INSTALL_COMPOSE)
    return ["docker-compose"]


class Project:
    """The services of a copy of compose.yaml.

    Attributes:
        name: How the names of its containers, networks and volumes begin.
    """

    def __init__(self, file: Path, name: str) -> None:
        self.name = name
        self._command = [*client(), "--project-name", name, "--file", str(file)]

    def run(self, *arguments: str) -> str:
        """Run the compose client; what it prints."""
        ran = subprocess.run(
            [*self._command, *arguments],
            env=os.environ | {"JUPYTER_TOKEN": TOKEN},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, f"{arguments}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout.strip()

    def container(self, service: str) -> str:
        """The identifier of a service's container."""
        return self.run("ps", "--quiet", service)


@pytest.fixture
def project(labgate_image: str, tmp_path: Path) -> Iterator[Project]:
    """All services, running."""
    require(answers("image", "inspect", TEST_IMAGE), f"no image {TEST_IMAGE}", PULL_TEST_IMAGE)
    text = (ROOT / "config/compose.yaml").read_text("utf-8")
    for shipped, here in (
        # The client before version 2 does not know it; --project-name stands for it here.
        ("name: labgate\n", ""),
        ("quay.io/jupyter/scipy-notebook:2025-03-14", TEST_IMAGE),
        ("labgate:latest", labgate_image),
        ("    build: ..\n", ""),
        # Others may have the usual ports of this machine.
        ("127.0.0.1:8443:8443", "127.0.0.1::8443"),
        ("127.0.0.1:8080:8080", "127.0.0.1::8080"),
    ):
        assert shipped in text
        text = text.replace(shipped, here)
    file = tmp_path / "compose.yaml"
    file.write_text(text)
    project = Project(file, new_name())
    try:
        project.run("up", "--detach")
        until_healthy(project.container("labgate"))
        yield project
    finally:
        project.run("down", "--volumes", "--timeout", "1")


def test_lab_is_served_and_nothing_else_is_published(project: Project, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    authority.write_text(docker("exec", project.container("labgate"), "cat", "ca.pem"))
    trusting = ssl.create_default_context(cafile=str(authority))
    port = int(docker("port", project.container("labgate"), "8443/tcp").rpartition(":")[2])

    def status(token: str) -> int:
        """Of a call, as the client on the usual port makes it."""
        connection = http.client.HTTPSConnection("localhost", port, context=trusting, timeout=10)
        try:
            fields = {"Host": "localhost:8443", "Authorization": f"token {token}"}
            connection.request("GET", "/api/status", headers=fields)
            return connection.getresponse().status
        finally:
            connection.close()

    until(lambda: status(TOKEN) == 200, "Jupyter did not answer through labgate", 60)
    assert status("another") == 403
    assert docker("port", project.container("jupyter")) == ""
    project.run("stop", "--timeout", "30")
    state = docker("inspect", "--format", "{{.State.ExitCode}}", f"{project.name}_labgate_1")
    assert state == "0", "labgate ends by itself when it is told to"
