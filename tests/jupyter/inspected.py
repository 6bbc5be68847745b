"""Containers as the Engine API describes them."""

from __future__ import annotations

from typing import Any

from proxy.jupyter.recipe import Recipe


def made_from(recipe: Recipe, port: int = 8888, **state: Any) -> dict[str, Any]:
    """What inspecting a container made from ``recipe`` gives, running unless told otherwise."""
    body = recipe.body(port)
    host = body.pop("HostConfig")
    mounts = []
    if recipe.mount is not None:
        volume = recipe.mount.kind == "volume"
        mounts = [
            {
                "Type": recipe.mount.kind,
                "Destination": recipe.mount.target,
                "Source": "/var/lib/docker/volumes/x/_data" if volume else recipe.mount.source,
                **({"Name": recipe.mount.source} if volume else {}),
            }
        ]
    return {
        "Id": "abc",
        "Name": f"/{recipe.name}",
        "State": {"Running": True, "Paused": False, "Status": "running", **state},
        "Config": {**body, "User": body["User"] or "jovyan"},
        "HostConfig": host,
        "Mounts": mounts,
    }


def foreign(recipe: Recipe, port: int = 8888, **state: Any) -> dict[str, Any]:
    """The same container, but made by hand."""
    container = made_from(recipe, port, **state)
    container["Config"]["Labels"] = {"maintainer": "Jupyter Project"}
    return container
