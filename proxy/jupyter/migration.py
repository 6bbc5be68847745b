"""Copies folders out of a container before it is replaced, and verifies the copies.

It never overwrites existing files, deletes nothing, and does not change the container. Tested by
tests/jupyter/test_migration.py and tests/jupyter/test_container_creation.py.
"""

from __future__ import annotations

import logging
import re
import tarfile
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import Any

import aiodocker
from rich.console import Console
from rich.filesize import decimal
from rich.progress import DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from proxy.errors import StartError
from proxy.jupyter.container_action import Inspected
from proxy.jupyter.container_files import ContainerFiles
from proxy.jupyter.engine import EngineError, engine_start_error
from proxy.jupyter.mounts import ContainerMount, FolderCopy, mounts_of
from proxy.jupyter.tar_copy import OnBytes, Records, differing_files, is_below

log = logging.getLogger("labgate.jupyter")

MARKER_FILE = ".labgate-home"
"""A file in the copy that names the container, and says whether the copy is complete."""

COPY_LABEL = "org.labgate.copy"
LINE_INTERVAL_SECONDS = 5.0
BAR_INTERVAL_SECONDS = 0.1

_DELETED = 2  # the Engine API's ChangeType
_REPLACEMENT_CHARACTERS = re.compile("\ufffd+")


@dataclass(frozen=True, slots=True)
class CopiedFolder:
    """A folder that was copied and verified.

    ``folder`` is its path in the new container, ``identity`` the id of the earlier container.
    """

    folder_copy: FolderCopy
    folder: str
    identity: str

    def __str__(self) -> str:
        work = self.folder_copy
        stays = f"; {work.previous_mount} stays as it was" if work.previous_mount else ""
        where = f"there as {self.folder} in the new container"
        return f"{work.source} copied to {work.mount} and checked, {where}{stays}"

    async def mark(self, files: ContainerFiles, *, whole: bool) -> None:
        """Write the marker file; the next start may overwrite a copy that is not ``whole``."""
        await files.write(
            f"{self.folder}/{MARKER_FILE}",
            _marker_text(self.folder_copy, self.identity, whole=whole),
        )


async def copy_folders(
    docker: aiodocker.Docker,
    existing: Inspected,
    found: tuple[FolderCopy, ...],
    image: str,
    on: Console,
) -> tuple[CopiedFolder, ...]:
    """Copy folders out of a stopped container, and verify the copies.

    Args:
        docker: The engine.
        existing: The container, inspected.
        found: The folders to copy.
        image: Any local image; a container of it gives access to the mounts.
        on: Shows the progress.

    Raises:
        StartError: A copy failed or differs; with the reason.
    """
    copied = [
        await FolderMigration(docker, existing, folder_copy, on).copy_and_verify(image)
        for folder_copy in found
    ]
    return tuple(copy for copy in copied if copy is not None)


class FolderMigration:
    """Copies and verifies one folder."""

    def __init__(
        self, docker: aiodocker.Docker, existing: Inspected, folder_copy: FolderCopy, on: Console
    ) -> None:
        self._docker = docker
        self._identity = str(existing["Id"])
        self._name = existing["Name"].lstrip("/")
        self._earlier = ContainerFiles(docker, self._identity)
        self._work = folder_copy
        self._on = on
        source = PurePosixPath(folder_copy.source)
        targets = [PurePosixPath(mount.target) for mount in mounts_of(existing)]
        inside = [path for path in targets if path.is_relative_to(source) and path != source]
        # Mounts below are preserved anyway; a marker file of an earlier copy is not copied.
        self._skipped = frozenset(
            [*(str(path.relative_to(source)) for path in inside), MARKER_FILE]
        )

    async def copy_and_verify(self, image: str) -> CopiedFolder | None:
        """Copy and verify; None if the source is on a mount and the destination is in use."""
        work = self._work
        doing = f"{work.source} of container {self._name} cannot be copied to {work.mount}"
        try:
            async with _files_of_mount(self._docker, work.mount, image) as target:
                folder = await self._destination(target)
                if folder is None:
                    log.warning(
                        "%s is in use already: what is in %s stays there and is not copied",
                        *(work.mount, work.previous_mount),
                    )
                    return None
                copied = CopiedFolder(work, folder, self._identity)
                await copied.mark(target, whole=False)
                wrong = await self._copy(target, folder)
        except EngineError as error:
            raise engine_start_error(error, f"{doing}, so nothing was replaced") from None
        except (tarfile.TarError, OSError) as error:
            wrong = str(error)
        if wrong:
            raise StartError(
                f"{doing}, so nothing was replaced: {wrong}. "
                f"Copy it by hand (docker cp {self._name}:{work.source} FOLDER), then start with "
                "--name OTHER."
            )
        log.info("%s", copied)
        return copied

    async def _copy(self, target: ContainerFiles, folder: str) -> str:
        """Copy and compare; returns what is wrong with the copy, empty for nothing."""
        source, mount = self._work.source, self._work.mount
        with show_progress(self._on, f"copying {source} to {mount}") as on_bytes:
            records = await self._earlier.copy(source, target, folder, self._skipped, on_bytes)
        if path := await self.unreadable_file(records):
            return f"the engine left out {path}"
        with show_progress(self._on, f"checking the copy in {mount}") as on_bytes:
            wrong = differing_files(records, await target.read(folder, on_bytes))
        return f"{wrong} is not the same in the copy" if wrong else ""

    async def unreadable_file(self, records: Records) -> str:
        """The path of a file that the engine could not read and left out; empty for none.

        Sockets are ignored: they cannot be copied.
        """
        known = {_as_in_json(name) for name in records}
        changes = await self._docker._query_json(f"containers/{self._identity}/changes")
        for change in changes or ():
            path = PurePosixPath(change["Path"])
            if change["Kind"] == _DELETED or not path.is_relative_to(self._work.source):
                continue
            name = "/".join(path.relative_to(self._work.source).parts)
            if name in self._skipped or is_below(name, self._skipped):
                continue
            if _as_in_json(name) not in known and not await self._earlier.is_socket(str(path)):
                return str(path)
        return ""

    async def _destination(self, target: ContainerFiles) -> str | None:
        """The folder to copy to; None if the source is preserved and the target is in use.

        The target itself if it has no files yet, or only an incomplete copy of this container;
        otherwise a new folder inside of it.
        """
        work = self._work
        unfinished = _marker_text(work, self._identity, whole=False)
        aside = f"{work.target}/earlier-home-{self._identity[:12]}"
        for folder in (work.target, aside):
            if await target.read_text(
                f"{folder}/{MARKER_FILE}"
            ) == unfinished or await target.is_empty(folder):
                return folder
            if work.previous_mount is not None:
                return None
        return f"{aside}-{datetime.now():%Y%m%d-%H%M%S}"


def _as_in_json(name: str) -> str:
    """A file name as the engine writes it in JSON, which replaces what is not UTF-8."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _REPLACEMENT_CHARACTERS.sub("\ufffd", text)


def _marker_text(folder_copy: FolderCopy, identity: str, *, whole: bool) -> str:
    state = "whole" if whole else "unfinished"
    return f"labgate's copy of {folder_copy.source} of container {identity}: {state}\n"


@asynccontextmanager
async def _files_of_mount(
    docker: aiodocker.Docker, mount: ContainerMount, image: str
) -> AsyncIterator[ContainerFiles]:
    """The files of a volume or folder, through a container that mounts it and never runs."""
    described: dict[str, Any] = {
        "Type": mount.kind,
        "Source": mount.source,
        "Target": mount.target,
    }
    if mount.kind == "volume":
        # Otherwise the engine copies files of the image to a new volume, which then looks used.
        described["VolumeOptions"] = {"NoCopy": True}
    await _remove_leftovers(docker, mount)
    holder = await docker.containers.create(
        {
            "Image": image,
            "Entrypoint": [],
            "Cmd": ["true"],
            "Labels": {COPY_LABEL: mount.source},
            "NetworkDisabled": True,
            "HostConfig": {"Mounts": [described]},
        }
    )
    try:
        yield ContainerFiles(docker, holder.id)
    finally:
        await holder.delete(force=True)


async def _remove_leftovers(docker: aiodocker.Docker, mount: ContainerMount) -> None:
    """Remove containers of a labgate that was killed while it copied; they never ran."""
    wanted = f'{{"label":["{COPY_LABEL}={mount.source}"],"status":["created"]}}'
    for one in await docker.containers.list(all=1, filters=wanted):
        with suppress(aiodocker.DockerError):
            await one.delete(force=True)


@contextmanager
def show_progress(
    console: Console, what: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[OnBytes]:
    """Show how many octets were copied: a progress bar on a terminal, otherwise log lines."""
    printed_at, octets = clock(), 0
    every = BAR_INTERVAL_SECONDS if console.is_terminal else LINE_INTERVAL_SECONDS
    columns = (TextColumn("{task.description}", markup=False), DownloadColumn())
    progress = Progress(
        *(*columns, TransferSpeedColumn()), console=console, auto_refresh=False, transient=True
    )
    task = progress.add_task(what, total=None)

    def on_bytes(count: int) -> None:
        nonlocal printed_at, octets
        octets += count
        if (now := clock()) - printed_at < every:
            return
        printed_at = now
        if console.is_terminal:
            progress.update(task, completed=octets, refresh=True)
        else:
            console.print(f"{what}: {decimal(octets)}", markup=False, highlight=False)

    if console.is_terminal:
        with progress:
            yield on_bytes
    else:
        yield on_bytes
