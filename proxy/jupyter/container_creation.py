"""Creates a container, or replaces one; if that fails, everything is restored.

Tested by tests/jupyter/test_container.py and tests/jupyter/test_container_creation.py.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime

import aiodocker
from aiodocker.containers import DockerContainer
from rich.console import Console

from proxy.jupyter.container_action import Inspected, is_ours
from proxy.jupyter.container_files import ContainerFiles
from proxy.jupyter.container_spec import ContainerSpec
from proxy.jupyter.engine import EngineError, is_port_in_use
from proxy.jupyter.folder_permissions import require_writable
from proxy.jupyter.launcher import STOP_SECONDS
from proxy.jupyter.migration import CopiedFolder, copy_folders
from proxy.jupyter.mounts import Folders, folders_of, folders_to_copy, mounts_of
from proxy.jupyter.port import default_or_free_port, free_port
from proxy.jupyter.pull import ensure_image
from proxy.jupyter.replacement_check import check_replacement
from proxy.jupyter.unsaved_changes import describe_unsaved

log = logging.getLogger("labgate.jupyter")

_FURTHER_PORTS = 4


class NotRestoredError(Exception):
    """The earlier container could not be started again; the cause is why it was stopped."""


class ContainerCreator:
    """Creates the container of one specification.

    Args:
        docker: The engine.
        spec: The container to create.
        last_port: The host's port of the previous container; 0 for none.
        on: Shows the progress of pulls and copies.
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
        """Create and start the container; none exists yet.

        Raises:
            StartError: The image or a folder is not available.
        """
        folders = await self.prepare()
        return await self._on_a_port(lambda port: self._create(folders, port))

    async def replace(self, existing: Inspected, folders: Folders) -> DockerContainer:
        """Replace ``existing`` by a new container, and start it.

        ``existing`` keeps its name until its home folder is copied and verified. When the new
        container runs, it is removed without its volumes.

        Args:
            existing: The earlier container.
            folders: What ``prepare`` returned.

        Raises:
            StartError: The home could not be copied.
            NotRestoredError: Replacing it failed, and starting it again did, too.
        """
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
        except BaseException as error:
            await self._restore(earlier, existing, error)
            raise
        await earlier.delete(v=False)
        return fresh

    async def _restore(
        self, earlier: DockerContainer, existing: Inspected, error: BaseException
    ) -> None:
        """Start the earlier container again, and pause it, if that was its state.

        Args:
            earlier: The container.
            existing: What it was before.
            error: Why it is not replaced.

        Raises:
            NotRestoredError: It could not be started; ``error`` is the cause.
        """
        name = self._spec.name
        try:
            if existing["State"]["Running"]:
                await earlier.start()
        except EngineError as again:
            log.error("Container %s could not be started again: %s", name, again)
            if not isinstance(error, Exception):
                return  # a cancellation stays one
            raise NotRestoredError from error
        try:
            if existing["State"].get("Paused"):
                await earlier.pause()
        except EngineError as again:
            log.error("Container %s runs, and could not be paused again: %s", name, again)

    async def prepare(self, existing: Inspected | None = None) -> Folders:
        """Pull the image and check what can be checked, before anything is changed.

        Args:
            existing: The container to replace; None if there is none.

        Returns:
            The image's folders.

        Raises:
            StartError: The image or a folder is not available.
            aiodocker.DockerError: The engine refuses the new container.
        """
        spec = self._spec
        await ensure_image(self._docker, spec.image, self._on)
        config = (await self._docker.images.inspect(spec.image))["Config"]
        folders = folders_of(config)
        await require_writable(self._docker, spec, spec.mounts(folders), config)
        if existing is not None:
            await check_replacement(self._docker, spec, folders, config, existing)
        return folders

    async def _on_a_port(
        self, start: Callable[[int], Awaitable[DockerContainer]]
    ) -> DockerContainer:
        """Start a container on the first port that the engine can publish."""
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
        """The configured port, or several free ones: another program may take the first."""
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
            # Its port and user cannot be changed, so the next attempt cannot use it.
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
        """Rename the earlier container, then start the new one under its name."""
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
            # The earlier container stays in use: the next attempt must copy again.
            for copy in copied:
                await copy.mark(files, whole=False)
            await fresh.delete(force=True)
            raise
        return fresh

    async def _remove_unfinished(self) -> None:
        """Remove the new container of a labgate that was killed while it replaced; it never ran."""
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
    """A space and a sentence about files that removing the container deletes; empty for none."""
    folders, mounts = folders_of(existing["Config"]), mounts_of(existing)
    # aiodocker has no method for it.
    changes = await docker._query_json(f"containers/{existing['Id']}/changes")
    preserved = [folders.home, *filter(None, [folders.start]), *(mount.target for mount in mounts)]
    lost = describe_unsaved(changes or (), preserved)
    return f" Lost with it: {lost}." if lost else ""
