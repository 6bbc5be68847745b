"""Finds what the engine refuses about a replacement before the earlier container is stopped.

Tested by tests/jupyter/test_container.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiodocker

from proxy.errors import StartError
from proxy.jupyter.container_action import Inspected, published_port
from proxy.jupyter.container_spec import ContainerSpec
from proxy.jupyter.mounts import Folders
from proxy.jupyter.temporary_container import temporary_container


async def check_replacement(
    docker: aiodocker.Docker,
    spec: ContainerSpec,
    folders: Folders,
    image: Mapping[str, Any],
    existing: Inspected,
) -> None:
    """Run a command in a container like the replacement, beside the earlier one.

    It has the image, the user, the memory limit, the port and the mount points, but neither
    Jupyter nor the volumes: no file of theirs is changed.

    Args:
        docker: The engine.
        spec: The container to create.
        folders: The folders of its image.
        image: The image's ``Config``.
        existing: The container to replace.

    Raises:
        aiodocker.DockerError: The engine refuses it; with the reason.
        StartError: The image has no ``start-notebook.py``.
    """
    body = _body(spec, folders, image, existing)
    async with temporary_container(docker, f"{spec.name}-labgate-check", body) as container:
        await container.start()
        if (await container.wait())["StatusCode"] != 0:
            raise StartError(
                f"Image {spec.image} has no start-notebook.py: "
                "jupyter.image has to be one of jupyter/docker-stacks."
            )


def _body(
    spec: ContainerSpec, folders: Folders, image: Mapping[str, Any], existing: Inspected
) -> dict[str, Any]:
    body = spec.body(spec.port, folders)
    host = body["HostConfig"]
    del host["RestartPolicy"]
    host["Mounts"] = [
        # A volume that is mounted for the first time gets the files of the image.
        {"Type": "tmpfs", "Target": mount["Target"]} if mount["Type"] == "volume" else mount
        for mount in host["Mounts"]
    ]
    occupied = existing["State"]["Running"] and published_port(existing) == spec.port
    if not spec.port or occupied:
        del host["PortBindings"]
    # An image with an entrypoint finds its own way to start-notebook.py.
    script = "true" if image.get("Entrypoint") else "command -v start-notebook.py"
    return body | {
        "Entrypoint": ["sh", "-c"],
        "Cmd": [script],
        "Env": [],
        "NetworkDisabled": "PortBindings" not in host,
    }
