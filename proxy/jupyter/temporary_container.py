"""A container that runs one command, to ask the engine something.

Tested by tests/jupyter/test_container.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import aiodocker
from aiodocker.containers import DockerContainer

TEMPORARY_LABEL = "org.labgate.temporary"


@asynccontextmanager
async def temporary_container(
    docker: aiodocker.Docker, name: str, body: Mapping[str, Any]
) -> AsyncIterator[DockerContainer]:
    """Create a container, and remove it at the end.

    One of that name that a labgate has left behind when it was killed is removed before.

    Args:
        docker: The engine.
        name: Used by one labgate at a time.
        body: The Engine API's description; its labels and health check are replaced.

    Raises:
        aiodocker.DockerError: The engine refuses it.
    """
    container = docker.containers.container(name)
    with suppress(aiodocker.DockerError):
        if TEMPORARY_LABEL in (await container.show())["Config"]["Labels"]:
            await container.delete(force=True)
    described = {**body, "Labels": {TEMPORARY_LABEL: "1"}, "Healthcheck": {"Test": ["NONE"]}}
    container = await docker.containers.create(described, name=name)
    try:
        yield container
    finally:
        await container.delete(force=True)
