"""Whose end is the end of its container."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from proxy.service.container_end import OBSTACLE, ends_container
from tests.e2e.programs import ROOT
from tests.namespaces import NAMESPACE, namespaces_allowed

PROCESSES = [
    pytest.param(1, 0, "labgate\n", "", True, id="process 1"),
    pytest.param(7, 1, "tini\n", "7 ", True, id="below tini"),
    pytest.param(7, 1, "docker-init\n", "7 ", True, id="docker run --init"),
    pytest.param(2, 1, "catatonit\n", "2 19 ", True, id="podman run --init"),
    pytest.param(7, 1, "dumb-init\n", "", True, id="a kernel that tells no children"),
    pytest.param(19, 1, "tini\n", "7 19 ", False, id="adopted by tini"),
    pytest.param(12, 7, "tini\n", "7 ", False, id="below a program below tini"),
    pytest.param(700, 1, "systemd\n", "612 700 ", False, id="a service"),
    pytest.param(700, 1, "systemd\n", "700 ", False, id="the only service"),
    pytest.param(30, 0, "tini\n", "7 ", False, id="docker exec"),
    pytest.param(700, 1, "", "", False, id="macOS"),
]


@pytest.mark.parametrize(("pid", "parent", "program", "children", "ends"), PROCESSES)
def test_the_container_ends_with(
    pid: int, parent: int, program: str, children: str, ends: bool
) -> None:
    assert ends_container(pid, parent, program, children) is ends


ASK = "from proxy.service.container_end import container_obstacle; print(container_obstacle())"
PLACES = [
    pytest.param([], "", id="no container"),
    pytest.param(NAMESPACE, OBSTACLE, id="process 1"),
    pytest.param([*NAMESPACE, "tini", "-s", "--"], OBSTACLE, id="below tini"),
]


@pytest.mark.parametrize(("around", "said"), PLACES)
def test_in_a_process_namespace_of_its_own(around: list[str], said: str) -> None:
    if "tini" in around and shutil.which("tini") is None:
        pytest.skip("there is no tini")
    if around and not namespaces_allowed():
        pytest.skip("this machine allows no namespaces")
    command = [*around, sys.executable, "-c", ASK]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == said
