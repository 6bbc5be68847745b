"""Containers as the Engine API describes them."""

from __future__ import annotations

from typing import Any

from proxy.jupyter.home import Folders, Mount
from proxy.jupyter.recipe import ASKED_LABEL, Recipe

FOLDERS = Folders()


def mounted(*mounts: Mount) -> list[dict[str, Any]]:
    """``Mounts`` of an inspected container."""
    return [
        {"Type": "volume", "Name": mount.source, "Source": "/x/_data", "Destination": mount.target}
        if mount.kind == "volume"
        else {"Type": "bind", "Source": mount.source, "Destination": mount.target}
        for mount in mounts
    ]


def made_from(recipe: Recipe, port: int = 8888, **state: Any) -> dict[str, Any]:
    """What inspecting a container made from ``recipe`` gives, running unless told otherwise."""
    body = recipe.body(port, FOLDERS)
    host = body.pop("HostConfig")
    return {
        "Id": "abc",
        "Name": f"/{recipe.name}",
        "State": {"Running": True, "Paused": False, "Status": "running", **state},
        "Config": {**body, "User": body["User"] or "jovyan"},
        "HostConfig": host,
        "NetworkSettings": {"Ports": host["PortBindings"]},
        "Mounts": mounted(*recipe.mounts(FOLDERS)),
    }


def made_before(recipe: Recipe, **state: Any) -> dict[str, Any]:
    """The same container as the first version of labgate made it: its home in it alone."""
    container = made_from(recipe, **state)
    labels = container["Config"]["Labels"]
    labels["org.labgate.settings"] = "what the first version made of the settings"
    del labels[ASKED_LABEL]
    container["Mounts"] = mounted(*filter(None, [recipe.mount]))
    return container


def foreign(recipe: Recipe, port: int = 8888, **state: Any) -> dict[str, Any]:
    """The same container, but made by hand."""
    container = made_from(recipe, port, **state)
    container["Config"]["Labels"] = {"maintainer": "Jupyter Project"}
    return container
