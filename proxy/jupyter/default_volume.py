"""The volume for the work folder where ``jupyter.volume`` names none. Pure: does no I/O."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from proxy.config.jupyter_settings import DEFAULT_WORK_FOLDER
from proxy.jupyter.container_action import Inspected, is_ours
from proxy.jupyter.mounts import ContainerMount, mounts_of

SHARED_VOLUME = "jupyter-work"
"""What earlier versions mounted in every container, whatever its name."""


class DefaultVolume(NamedTuple):
    """``remark`` is a sentence for the log; empty for nothing to say."""

    mount: ContainerMount
    remark: str = ""


def default_volume(
    name: str,
    existing: Inspected | None,
    volumes: Collection[str],
    shared: str = SHARED_VOLUME,
) -> DefaultVolume:
    """A volume named after the container, unless the container has the shared one.

    Without a container the shared one is never taken: a second labgate would get the work of
    another Jupyter, and nothing tells it from an earlier one of this name.

    Args:
        name: The container's name.
        existing: The container, if there is one.
        volumes: The names of all volumes.
        shared: The volume that earlier versions mounted.
    """
    own = ContainerMount("volume", f"{name}-work", DEFAULT_WORK_FOLDER)
    earlier = ContainerMount("volume", shared, DEFAULT_WORK_FOLDER)
    if own == earlier:
        return DefaultVolume(own)
    has_earlier = existing is not None and is_ours(existing) and earlier in mounts_of(existing)
    if has_earlier and shared in volumes:
        return DefaultVolume(
            earlier,
            f"Container {name} goes on with volume {shared} at {DEFAULT_WORK_FOLDER}, which other "
            "containers of an earlier labgate have, too; "
            f"--volume {own.source}:{own.target} gives it one of its own.",
        )
    if shared in volumes and own.source not in volumes:
        return DefaultVolume(
            own,
            f"Container {name} gets a new volume {own.source} at {own.target}. If an earlier "
            f"labgate ran it, its work is in {shared}: --volume {shared}:{own.target} mounts that.",
        )
    return DefaultVolume(own)
