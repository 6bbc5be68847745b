"""Making a container, also in the place of another: either it runs, or all is as it was."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime

import aiodocker
from aiodocker.containers import DockerContainer
from rich.console import Console

from proxy.jupyter.container_action import Inspected, is_ours
from proxy.jupyter.container_files import ContainerFiles
from proxy.jupyter.container_spec import ContainerSpec
from proxy.jupyter.engine import is_port_in_use
from proxy.jupyter.folder_permissions import require_writable
from proxy.jupyter.migration import CopiedFolder, copy_folders
from proxy.jupyter.mounts import Folders, folders_of, folders_to_copy, mounts_of
from proxy.jupyter.port import default_or_free_port, free_port
from proxy.jupyter.pull import ensure_image
from proxy.jupyter.unsaved_changes import describe_unsaved

STOP_SECONDS = 10
_FURTHER_PORTS = 4


class ContainerCreator:
    """Makes containers by one spec.

    Args:
        docker: The engine.
        spec: What to make.
        last_port: On this machine, of the container that was there before; 0 for none.
        on: Where it is shown how far pulls and copies got.
    """

    def __init__(
        self, docker: aiodocker.Docker, spec: ContainerSpec, last_port: int, on: Console
    ) -> None:
        self._docker = docker
        self._spec = spec
        self._last_port = last_port
        self._on = on
        self._next_name = f"{spec.name}-labgate-next"

    async def create(self) -> DockerContainer:
        """Make and start one where there is none.

        Raises:
            StartError: The image or a folder is not to be had.
        """
        folders = await self._prepare()
        return await self._on_a_port(lambda port: self._create(folders, port))

    async def replace(self, existing: Inspected) -> DockerContainer:
        """Make and start one in the place of ``existing``.

        That keeps its name until its home is copied and checked, and is removed, without its
        volumes, when the new one runs.

        Raises:
            StartError: The image, a folder or a whole copy of the home is not to be had.
        """
        # Before anything is touched: without the image all that would be in vain.
        folders = await self._prepare()
        earlier = self._docker.containers.container(existing["Id"])
        there = folders_of(existing["Config"]), mounts_of(existing)
        found = folders_to_copy(there, (folders, self._spec.mounts(folders)))
        await self._remove_unfinished()
        try:
            if existing["State"].get("Paused"):
                await earlier.unpause()
            await earlier.stop(t=STOP_SECONDS)
            copied = await copy_folders(self._docker, existing, found, self._spec.image, self._on)
            fresh = await self._on_a_port(lambda port: self._swap(folders, port, earlier, copied))
        except BaseException:
            await _restore(earlier, existing)
            raise
        await earlier.delete(v=False)
        return fresh

    async def _prepare(self) -> Folders:
        """Fetch the image and try what is to be mounted; the image's folders."""
        spec = self._spec
        await ensure_image(self._docker, spec.image, self._on)
        config = (await self._docker.images.inspect(spec.image))["Config"]
        folders = folders_of(config)
        await require_writable(self._docker, spec, spec.mounts(folders), config)
        return folders

    async def _on_a_port(
        self, start: Callable[[int], Awaitable[DockerContainer]]
    ) -> DockerContainer:
        """Start a container on the first port that the engine gets."""
        ports = self._ports()
        port = next(ports)
        while True:
            try:
                return await start(port)
            except aiodocker.DockerError as error:
                port = next(ports, 0)
                if not port or not is_port_in_use(error):
                    raise

    def _ports(self) -> Iterator[int]:
        """The port that is asked for, else free ones: another program may be quicker."""
        if self._spec.port:
            yield self._spec.port
        else:
            yield self._last_port or default_or_free_port()
            for _ in range(_FURTHER_PORTS):
                yield free_port()

    async def _make(self, folders: Folders, port: int, name: str) -> DockerContainer:
        return await self._docker.containers.create(self._spec.body(port, folders), name=name)

    async def _create(self, folders: Folders, port: int) -> DockerContainer:
        container = await self._make(folders, port, self._spec.name)
        try:
            await container.start()
        except BaseException:
            # Its port and user are fixed in it: of no use for the next attempt.
            await container.delete(force=True)
            raise
        return container

    async def _swap(
        self,
        folders: Folders,
        port: int,
        earlier: DockerContainer,
        copied: tuple[CopiedFolder, ...],
    ) -> DockerContainer:
        """Run the new container under the name of the earlier one, which is then set aside."""
        name = self._spec.name
        fresh = await self._make(folders, port, self._next_name)
        files = ContainerFiles(self._docker, fresh.id)
        try:
            for copy in copied:
                await copy.mark(files, whole=True)
            await earlier.rename(f"{name}-before-labgate-{datetime.now():%Y%m%d-%H%M%S}")
            try:
                await fresh.rename(name)
                await fresh.start()
            except BaseException:
                await fresh.rename(self._next_name)
                await earlier.rename(name)
                raise
        except BaseException:
            # The earlier one goes on being worked in: the next attempt copies anew.
            for copy in copied:
                await copy.mark(files, whole=False)
            await fresh.delete(force=True)
            raise
        return fresh

    async def _remove_unfinished(self) -> None:
        """What a labgate left behind that was killed while it replaced; it never ran."""
        container = self._docker.containers.container(self._next_name)
        try:
            unfinished = await container.show()
        except aiodocker.DockerError as error:
            if error.status == 404:
                return
            raise
        if unfinished["State"]["Status"] == "created" and is_ours(unfinished):
            await container.delete(v=False)


async def describe_loss(docker: aiodocker.Docker, existing: Inspected) -> str:
    """A sentence, after a space, on what goes with the container; empty for nothing."""
    folders, mounts = folders_of(existing["Config"]), mounts_of(existing)
    # aiodocker has no method for it.
    changes = await docker._query_json(f"containers/{existing['Id']}/changes")
    kept = [folders.home, *filter(None, [folders.start]), *(mount.target for mount in mounts)]
    lost = describe_unsaved(changes or (), kept)
    return f" With it go: {lost}." if lost else ""


async def _restore(container: DockerContainer, existing: Inspected) -> None:
    """Run a container again that was stopped, if it ran."""
    if existing["State"]["Running"]:
        await container.start()
    if existing["State"].get("Paused"):
        await container.pause()
