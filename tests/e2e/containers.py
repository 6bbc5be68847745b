"""Containers of a test's own, for the tests that start ``labgate up --launch docker``."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import INSTALL_DOCKER, PULL_TEST_IMAGE, TEST_IMAGE, require
from tests.engine_names import new_name
from tests.jupyter.place import PAUSE_ATTEMPTS


def docker(*arguments: str) -> str:
    """What the docker command says."""
    ran = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def inspect(name: str, field: str) -> str:
    """One field of what the engine knows of a container, as ``{{.State.Running}}``."""
    return docker("inspect", "--format", field, name)


def pause(name: str) -> None:
    """Pause a container; runc gives up where a program of it is slow to halt."""
    for _ in range(PAUSE_ATTEMPTS):
        ran = subprocess.run(["docker", "pause", name], capture_output=True, text=True, check=False)
        if "unable to freeze" not in ran.stderr:
            break
    assert ran.returncode == 0, ran.stderr


@contextmanager
def container_name() -> Iterator[str]:
    """A name nobody uses, for a container and its volumes; all are removed at the end."""
    require(shutil.which("docker"), "no docker command", INSTALL_DOCKER)
    asked = subprocess.run(
        ["docker", "image", "inspect", TEST_IMAGE], capture_output=True, check=False
    )
    require(asked.returncode == 0, f"no Docker Engine, or no image {TEST_IMAGE}", PULL_TEST_IMAGE)
    name = new_name()
    try:
        yield name
    finally:
        remove(name)


def remove(name: str) -> None:
    """Remove what labgate made for a container of this name."""
    own = f"{name}(-|$)"
    containers = docker("ps", "--all", "--quiet", "--filter", f"name=^/{own}").split()
    subprocess.run(["docker", "rm", "--force", *containers], capture_output=True, check=False)
    volumes = docker("volume", "ls", "--quiet", "--filter", f"name=^{own}").split()
    subprocess.run(["docker", "volume", "rm", *volumes], capture_output=True, check=False)
