"""What the tests need of the machine, and what happens where it is missing."""

from __future__ import annotations

import importlib.util
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress

import aiodocker
import pytest

from proxy.jupyter.engine import EngineAbsent, connect
from proxy.jupyter.port import LOOPBACK, USUAL

TEST_IMAGE = "quay.io/jupyter/base-notebook:local"

OCCUPIED = pytest.StashKey[socket.socket]()


def pytest_configure(config: pytest.Config) -> None:
    """Take Jupyter's usual port, else tests that run at once would all choose it."""
    if not hasattr(config, "workerinput"):
        with suppress(OSError):
            config.stash[OCCUPIED] = socket.create_server((LOOPBACK, USUAL))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Give it back."""
    if OCCUPIED in config.stash:
        config.stash[OCCUPIED].close()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Two for each core, because most of a test is waiting; memory bounds them."""
    return min(2 * (os.cpu_count() or 1), 8)


def require(condition: object, reason: str) -> None:
    """Skip the test on a machine that lacks something; fail it where nothing may be missing."""
    if condition:
        return
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture
def jupyterlab() -> None:
    """A real JupyterLab beside labgate."""
    require(importlib.util.find_spec("jupyterlab"), "no JupyterLab: pip install jupyterlab")


@pytest.fixture
async def docker() -> AsyncIterator[aiodocker.Docker]:
    """A Docker Engine that has the test image."""
    client = None
    try:
        client = await connect()
    except EngineAbsent:
        require(False, "no Docker Engine answers: apt-get install docker.io && dockerd &")
    assert client is not None
    try:
        try:
            await client.images.inspect(TEST_IMAGE)
        except aiodocker.DockerError:
            require(False, f"no image {TEST_IMAGE}: docker pull or build it")
        yield client
    finally:
        await client.close()
