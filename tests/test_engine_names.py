"""What a test run that was killed leaves on the engine is removed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.conftest import TEST_IMAGE
from tests.e2e.containers import container_name, docker
from tests.e2e.programs import ROOT, until

KILLED = """
import os, signal, subprocess, sys
from tests.engine_names import new_name
name = new_name()
subprocess.run(["docker", "volume", "create", name], check=True, stdout=subprocess.DEVNULL)
subprocess.run(["docker", "network", "create", name], check=True, stdout=subprocess.DEVNULL)
subprocess.run(["docker", "tag", sys.argv[1], name + ":tag"], check=True)
run = ["docker", "create", "--name", name, "--volume", name + ":/v", sys.argv[1]]
subprocess.run(run, check=True, stdout=subprocess.DEVNULL)
print(name, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def found(name: str) -> str:
    """Whatever the engine has of this name."""
    return (
        docker("ps", "--all", "--quiet", "--filter", f"name={name}")
        + docker("volume", "ls", "--quiet", "--filter", f"name={name}")
        + docker("network", "ls", "--quiet", "--filter", f"name={name}")
        + docker("image", "ls", "--quiet", "--filter", f"reference={name}*")
    )


@pytest.fixture
def _engine() -> Iterator[None]:
    with container_name():
        yield


@pytest.mark.docker
@pytest.mark.usefixtures("_engine")
def test_a_run_that_is_killed_leaves_nothing() -> None:
    command = [sys.executable, "-c", KILLED, TEST_IMAGE]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode < 0, ran.stderr
    name = ran.stdout.strip()
    until(lambda: not found(name), lambda: f"left: {found(name)}")
