"""Images, machines and a JupyterHub, each made once for all tests that use it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deployment.image import built_image as built_labgate
from tests.deployment.image import built_slim_image
from tests.deployment.jupyterhub import install
from tests.deployment.machine import (
    Machine,
    built_image,
    machine_of,
    with_newer_systemd,
)

HERE = Path(__file__).parent
SHARED = ("jupyterhub", "labgate_image", "machine_image")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that share what takes long to make run in one process (pytest-xdist, loadgroup)."""
    for item in items:
        if item.path.is_relative_to(HERE):
            fixtures = getattr(item, "fixturenames", ())
            group = next((shared for shared in SHARED if shared in fixtures), item.path.name)
            item.add_marker(pytest.mark.xdist_group(group))


@pytest.fixture(scope="session")
def slim_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image that is in kind what the Dockerfile names as its base."""
    with built_slim_image(tmp_path_factory.mktemp("slim")) as name:
        yield name


@pytest.fixture(scope="session")
def labgate_image(slim_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image that the Dockerfile describes."""
    with built_labgate(slim_image, tmp_path_factory) as name:
        yield name


@pytest.fixture(scope="session")
def jupyterhub(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the programs of JupyterHub, its culler and its DockerSpawner."""
    return install(tmp_path_factory.mktemp("jupyterhub"))


@pytest.fixture(scope="session")
def machine_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with systemd and labgate in /opt/labgate, installed from a wheel."""
    with built_image(tmp_path_factory.mktemp("machine")) as name:
        yield name


@pytest.fixture(scope="session")
def newer_machine_image(
    machine_image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The same with the systemd of Debian 13."""
    with with_newer_systemd(machine_image, tmp_path_factory.mktemp("newer")) as name:
        yield name


@pytest.fixture
def newer_machine(newer_machine_image: str) -> Iterator[Machine]:
    """Like ``machine``, with the systemd of Debian 13."""
    with machine_of(newer_machine_image) as machine:
        yield machine


@pytest.fixture
def machine(machine_image: str) -> Iterator[Machine]:
    """A machine with systemd as process 1, labgate and a stand-in for Jupyter."""
    with machine_of(machine_image) as machine:
        yield machine
