"""The log of a container, line by line.

Tested by tests/jupyter/test_container.py.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiodocker.containers import DockerContainer

from proxy.jupyter.engine import EngineError


async def follow_container_log(container: DockerContainer, count: int) -> AsyncIterator[str]:
    """The last ``count`` lines, then every new one until the container exits or is removed."""
    pending = ""
    try:
        async for piece in container.log(stdout=True, stderr=True, follow=True, tail=count):
            *lines, pending = (pending + piece).split("\n")
            for line in lines:
                yield line.rstrip("\r")
    except EngineError:
        pass  # removed meanwhile
    if pending:
        yield pending
