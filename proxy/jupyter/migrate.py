"""Taking a home along: from a container that is about to be replaced to where it is kept.

Copies, reads the copy back, compares. Nothing that is there already is overwritten, nothing
is deleted, and the container that is copied from is not changed.
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
from proxy.jupyter.archive import ContainerFiles
from proxy.jupyter.engine import EngineError, refused
from proxy.jupyter.home import Mount, Move, mounts_of
from proxy.jupyter.plan import Inspected
from proxy.jupyter.tree import Records, Seen, is_below, missing

log = logging.getLogger("labgate.jupyter")

MARK = ".labgate-home"
"""A file in the copy that says whose it is, and whether it is whole."""

COPY_LABEL = "org.labgate.copy"
LINE_EVERY_SECONDS = 5.0
BAR_EVERY_SECONDS = 0.1

_DELETED = 2  # the Engine API's ChangeType
_UNKNOWN_LETTERS = re.compile("\ufffd+")


@dataclass(frozen=True, slots=True)
class Copied:
    """A folder that is whole where it is kept from now on.

    ``folder`` is its path in the new container; ``identity`` the earlier container's id.
    """

    move: Move
    folder: str
    identity: str

    def __str__(self) -> str:
        return f"{self.move.source} copied to {self.folder} in {self.move.mount}"

    async def mark(self, files: ContainerFiles, *, whole: bool) -> None:
        """Say in the copy itself whether it may still be overwritten from the same container."""
        await files.write(f"{self.folder}/{MARK}", _mark(self.move, self.identity, whole=whole))


async def take_along(
    docker: aiodocker.Docker, existing: Inspected, found: tuple[Move, ...], image: str, on: Console
) -> tuple[Copied, ...]:
    """Copy what ``found`` names out of a container that does not run, and check the copies.

    Args:
        docker: The engine.
        existing: The container, inspected.
        found: What to copy.
        image: Any image that is there.
        on: Where it is shown how far the copy got.

    Raises:
        StartError: A copy is not to be had, or not the same; with the reason.
    """
    copied = [await Taking(docker, existing, move, on).take(image) for move in found]
    return tuple(copy for copy in copied if copy is not None)


class Taking:
    """One folder's way."""

    def __init__(
        self, docker: aiodocker.Docker, existing: Inspected, move: Move, on: Console
    ) -> None:
        self._docker = docker
        self._identity = str(existing["Id"])
        self._name = existing["Name"].lstrip("/")
        self._earlier = ContainerFiles(docker, self._identity)
        self._move = move
        self._on = on
        source = PurePosixPath(move.source)
        targets = [PurePosixPath(mount.target) for mount in mounts_of(existing)]
        inside = [path for path in targets if path.is_relative_to(source) and path != source]
        # What is mounted below is kept already; our mark is not theirs.
        self._elsewhere = frozenset([*(str(path.relative_to(source)) for path in inside), MARK])

    async def take(self, image: str) -> Copied | None:
        """Copy and check; None when it is kept where it is, and the new place is in use."""
        move = self._move
        doing = f"{move.source} of container {self._name} cannot be copied to {move.mount}"
        try:
            async with _reaching(self._docker, move.mount, image) as kept:
                folder = await self._place(kept)
                if folder is None:
                    log.warning(
                        "%s is in use already: what is in %s stays there and is not copied",
                        *(move.mount, move.kept_there),
                    )
                    return None
                copied = Copied(move, folder, self._identity)
                await copied.mark(kept, whole=False)
                wrong = await self._copy(kept, folder)
        except EngineError as error:
            raise refused(error, f"{doing}, so nothing was replaced") from None
        except (tarfile.TarError, OSError) as error:
            wrong = str(error)
        if wrong:
            raise StartError(
                f"{doing}, so nothing was replaced: {wrong}. "
                f"Copy it by hand (docker cp {self._name}:{move.source} FOLDER), then start with "
                "--name OTHER."
            )
        log.info("%s, and checked", copied)
        return copied

    async def _copy(self, kept: ContainerFiles, folder: str) -> str:
        """Copy and compare; what is wrong with the copy, empty for nothing."""
        source, mount = self._move.source, self._move.mount
        with shown(self._on, f"copying {source} to {mount}") as seen:
            records = await self._earlier.copy(source, kept, folder, self._elsewhere, seen)
        if path := await self.left_out(records):
            return f"the engine left out {path}"
        with shown(self._on, f"checking the copy in {mount}") as seen:
            wrong = missing(records, await kept.read(folder, seen))
        return f"{wrong} is not the same in the copy" if wrong else ""

    async def left_out(self, records: Records) -> str:
        """A file that is there and of which the engine gave no copy, as it could not read it.

        A socket is nothing that can be kept.
        """
        known = {_legible(name) for name in records}
        changes = await self._docker._query_json(f"containers/{self._identity}/changes")
        for change in changes or ():
            path = PurePosixPath(change["Path"])
            if change["Kind"] == _DELETED or not path.is_relative_to(self._move.source):
                continue
            name = "/".join(path.relative_to(self._move.source).parts)
            if name in self._elsewhere or is_below(name, self._elsewhere):
                continue
            if _legible(name) not in known and not await self._earlier.is_socket(str(path)):
                return str(path)
        return ""

    async def _place(self, kept: ContainerFiles) -> str | None:
        """The folder to copy to; None when there is none and need not be.

        Its usual place when no file is there yet, or only a part of this same copy. Otherwise a
        folder of its own beside what is there.
        """
        move = self._move
        unfinished = _mark(move, self._identity, whole=False)
        aside = f"{move.target}/earlier-home-{self._identity[:12]}"
        for folder in (move.target, aside):
            if await kept.text(f"{folder}/{MARK}") == unfinished or await kept.is_empty(folder):
                return folder
            if move.kept_there is not None:
                return None
        return f"{aside}-{datetime.now():%Y%m%d-%H%M%S}"


def _legible(name: str) -> str:
    """As the engine tells a name in JSON; it does so in UTF-8, whatever the name is in."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return _UNKNOWN_LETTERS.sub("\ufffd", text)


def _mark(move: Move, identity: str, *, whole: bool) -> str:
    state = "whole" if whole else "unfinished"
    return f"labgate's copy of {move.source} of container {identity}: {state}\n"


@asynccontextmanager
async def _reaching(
    docker: aiodocker.Docker, mount: Mount, image: str
) -> AsyncIterator[ContainerFiles]:
    """The files of a volume or folder, by a container that has them and never runs."""
    described: dict[str, Any] = {
        "Type": mount.kind,
        "Source": mount.source,
        "Target": mount.target,
    }
    if mount.kind == "volume":
        # Else the engine fills a new one from the image, and it looks as if somebody used it.
        described["VolumeOptions"] = {"NoCopy": True}
    await _remove_leftovers(docker, mount)
    carrier = await docker.containers.create(
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
        yield ContainerFiles(docker, carrier.id)
    finally:
        await carrier.delete(force=True)


async def _remove_leftovers(docker: aiodocker.Docker, mount: Mount) -> None:
    """Those of a labgate that was killed while it copied; they never ran and hold nothing."""
    wanted = f'{{"label":["{COPY_LABEL}={mount.source}"],"status":["created"]}}'
    for one in await docker.containers.list(all=1, filters=wanted):
        with suppress(aiodocker.DockerError):
            await one.delete(force=True)


@contextmanager
def shown(
    console: Console, what: str, clock: Callable[[], float] = time.monotonic
) -> Iterator[Seen]:
    """Tells how many octets went by: a line every few seconds, or one that grows."""
    said, octets = clock(), 0
    every = BAR_EVERY_SECONDS if console.is_terminal else LINE_EVERY_SECONDS
    columns = (TextColumn("{task.description}", markup=False), DownloadColumn())
    progress = Progress(
        *(*columns, TransferSpeedColumn()), console=console, auto_refresh=False, transient=True
    )
    task = progress.add_task(what, total=None)

    def seen(count: int) -> None:
        nonlocal said, octets
        octets += count
        if (now := clock()) - said < every:
            return
        said = now
        if console.is_terminal:
            progress.update(task, completed=octets, refresh=True)
        else:
            console.print(f"{what}: {decimal(octets)}", markup=False, highlight=False)

    if console.is_terminal:
        with progress:
            yield seen
    else:
        yield seen
