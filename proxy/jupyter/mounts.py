"""The home folder of an image, and the mounts that preserve it. Pure: does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from proxy.config.types import is_folder, split_mount
from proxy.errors import StartError

DEFAULT_HOME = "/home/jovyan"

# Folders of the system: a volume there would combine an old system with a new image.
_SYSTEM_FOLDERS = (
    *("bin", "boot", "dev", "etc", "lib", "lib32", "lib64", "opt", "proc", "run", "sbin"),
    *("sys", "tmp", "usr", "var"),
)


@dataclass(frozen=True, slots=True)
class ContainerMount:
    """A named volume or a folder of the host (``bind``), and its path in the container."""

    kind: Literal["volume", "bind"]
    source: str
    target: str

    def __str__(self) -> str:
        return f"{'volume' if self.kind == 'volume' else 'folder'} {self.source}"


@dataclass(frozen=True, slots=True)
class Folders:
    """The folders of an image where people save files, as absolute paths.

    Attributes:
        home: The home folder of Jupyter's user.
        start: Jupyter's working directory, which Lab opens; empty if it is the root or a
            folder of the system, which must not be mounted.
    """

    home: str = DEFAULT_HOME
    start: str = DEFAULT_HOME


def folders_of(config: Mapping[str, Any]) -> Folders:
    """Read the ``Config`` of an image or of a container.

    The home is the variable HOME, as for Jupyter's settings and pip's ``--user`` folder.
    jupyter/docker-stacks set it, and use it as the working directory.
    """
    named = dict(entry.partition("=")[::2] for entry in config.get("Env") or ())
    home, start = _folder(named.get("HOME", "")), _folder(config.get("WorkingDir") or "")
    if start.split("/")[1:2] and start.split("/")[1] in _SYSTEM_FOLDERS:
        start = ""
    return Folders(home or start or DEFAULT_HOME, start)


def required_mounts(
    name: str, folders: Folders, volume: ContainerMount | None, home: ContainerMount | None
) -> tuple[ContainerMount, ...]:
    """The mounts that preserve the files in the home folder and in the folder that Lab opens.

    Args:
        name: The container's name; default volumes are named after it.
        folders: The folders of the image.
        volume: ``jupyter.volume``.
        home: ``jupyter.home``; None for a volume named after the container.

    Raises:
        StartError: ``jupyter.home`` is not mounted at the image's home folder.
    """
    mounts = [mount for mount in (home, volume) if mount is not None]
    if not mount_of(folders.home, mounts):
        if home is not None:
            raise StartError(
                f"jupyter.home mounts {home.source} at {home.target}, but the home folder in this "
                f"image is {folders.home}. Write {home.source}:{folders.home}."
            )
        mounts.insert(0, ContainerMount("volume", f"{name}-home", folders.home))
    if folders.start and not mount_of(folders.start, mounts):
        mounts.append(ContainerMount("volume", f"{name}-start", folders.start))
    return tuple(mounts)


@dataclass(frozen=True, slots=True)
class FolderCopy:
    """A folder of the earlier container that must be copied to a mount of the new one.

    Attributes:
        source: Its path in the earlier container.
        previous_mount: The mount that contains it there; None if removing the container
            deletes it.
        mount: The mount to copy it to.
        target: Its path in the new container.
    """

    source: str
    previous_mount: ContainerMount | None
    mount: ContainerMount
    target: str


def folders_to_copy(
    earlier: tuple[Folders, tuple[ContainerMount, ...]],
    now: tuple[Folders, tuple[ContainerMount, ...]],
) -> tuple[FolderCopy, ...]:
    """The folders to copy from an earlier container, unless they are on the new mounts already."""
    (old, old_mounts), (new, new_mounts) = earlier, now
    found: list[FolderCopy] = []
    for source, target in ((old.home, new.home), (old.start, new.start)):
        there, here = mount_of(source, old_mounts), mount_of(target, new_mounts)
        inside = bool(found) and PurePosixPath(source).is_relative_to(found[0].source)
        if not source or not target or here is None or inside:
            continue
        if there is None or (there.kind, there.source) != (here.kind, here.source):
            found.append(FolderCopy(source, there, here, target))
    return tuple(found)


def mount_of(path: str, mounts: Iterable[ContainerMount]) -> ContainerMount | None:
    """The mount that contains ``path``: the innermost one."""
    around = [m for m in mounts if PurePosixPath(path).is_relative_to(m.target)]
    return max(around, key=lambda mount: len(mount.target), default=None)


def mounts_of(inspected: Mapping[str, Any]) -> tuple[ContainerMount, ...]:
    """The volumes and folders of an inspected container."""
    return tuple(
        ContainerMount(
            "volume" if there["Type"] == "volume" else "bind",
            (there.get("Name") if there["Type"] == "volume" else there.get("Source")) or "",
            there["Destination"].rstrip("/") or "/",
        )
        for there in inspected.get("Mounts") or ()
        if there.get("Type") in ("volume", "bind")
    )


def describe_storage(inspected: Mapping[str, Any]) -> str:
    """Describe where the files of a container are stored, and which removing it deletes."""
    mounts, folders = mounts_of(inspected), folders_of(inspected["Config"])
    parts = [f"{mount.target} in {mount}" for mount in sorted(mounts, key=lambda m: m.target)]
    lost = [
        path
        for path in dict.fromkeys((folders.home, folders.start))
        if path and not mount_of(path, mounts)
    ]
    # A container that an earlier labgate created, and that was not replaced.
    parts += [f"{path} in the container alone, and gone with it" for path in lost]
    return "; ".join(parts)


def parse_mount(text: str) -> ContainerMount | None:
    """Parse ``NAME:/container/path`` or ``/host/folder:/container/path``; empty is none.

    Raises:
        ValueError: It is malformed. The values of the configuration were checked before.
    """
    if not text:
        return None
    source, target = split_mount(text)
    if is_folder(source):
        return ContainerMount("bind", str(Path(source).expanduser().absolute()), target)
    return ContainerMount("volume", source, target)


def _folder(path: str) -> str:
    """``path`` without a final slash if it can be a mount point, otherwise empty."""
    clean = path.rstrip("/")
    return clean if clean.startswith("/") else ""
