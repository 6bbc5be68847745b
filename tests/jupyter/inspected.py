"""Containers as the Engine API describes them."""

from __future__ import annotations

from typing import Any

from proxy.jupyter.container_spec import PUBLIC_SETTINGS_LABEL, ContainerSpec
from proxy.jupyter.mounts import ContainerMount, Folders

FOLDERS = Folders()


def mounted(*mounts: ContainerMount) -> list[dict[str, Any]]:
    """``Mounts`` of an inspected container."""
    return [
        {"Type": "volume", "Name": mount.source, "Source": "/x/_data", "Destination": mount.target}
        if mount.kind == "volume"
        else {"Type": "bind", "Source": mount.source, "Destination": mount.target}
        for mount in mounts
    ]


def made_from(spec: ContainerSpec, port: int = 8888, **state: Any) -> dict[str, Any]:
    """What inspecting a container made from ``spec`` gives, running unless told otherwise."""
    body = spec.body(port, FOLDERS)
    host = body.pop("HostConfig")
    return {
        "Id": "abc",
        "Name": f"/{spec.name}",
        "State": {"Running": True, "Paused": False, "Status": "running", **state},
        "Config": {**body, "User": body["User"] or "jovyan"},
        "HostConfig": host,
        "NetworkSettings": {"Ports": host["PortBindings"]},
        "Mounts": mounted(*spec.mounts(FOLDERS)),
    }


def made_before(spec: ContainerSpec, **state: Any) -> dict[str, Any]:
    """The same container as the first version of labgate made it: its home in it alone."""
    container = made_from(spec, **state)
    labels = container["Config"]["Labels"]
    labels["org.labgate.settings"] = "what the first version made of the settings"
    del labels[PUBLIC_SETTINGS_LABEL]
    container["Mounts"] = mounted(*filter(None, [spec.mount]))
    return container


def foreign(spec: ContainerSpec, port: int = 8888, **state: Any) -> dict[str, Any]:
    """The same container, but made by hand."""
    container = made_from(spec, port, **state)
    container["Config"]["Labels"] = {"maintainer": "Jupyter Project"}
    return container
