"""Machines for the tests of services."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployment.machine import Machine, built_image, machine_of


@pytest.fixture(scope="session")
def machine_image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An image with systemd and labgate in /opt/labgate, installed from a wheel."""
    with built_image(tmp_path_factory.mktemp("machine")) as name:
        yield name


@pytest.fixture
def machine(machine_image: str) -> Iterator[Machine]:
    """A machine with systemd as process 1, labgate and a stand-in for Jupyter."""
    with machine_of(machine_image) as machine:
        yield machine
