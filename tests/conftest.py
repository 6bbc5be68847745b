"""What the tests need of the machine, and what happens where it is missing."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import AsyncIterator

import aiodocker
import pytest

from proxy.jupyter.engine import EngineAbsent, connect

TEST_IMAGE = "quay.io/jupyter/base-notebook:local"


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
