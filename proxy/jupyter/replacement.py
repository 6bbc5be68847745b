"""Making a container, also in the place of another: either it runs, or all is as it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import aiodocker
from aiodocker.containers import DockerContainer
from rich.console import Console

from proxy.jupyter.archive import ContainerFiles
from proxy.jupyter.folder import require_writable
from proxy.jupyter.home import Folders, folders_of, mounts_of, moves
from proxy.jupyter.lost import lost_with
from proxy.jupyter.migrate import Copied, take_along
from proxy.jupyter.plan import Inspected, is_ours
from proxy.jupyter.pull import ensure_image
from proxy.jupyter.recipe import Recipe

STOP_SECONDS = 10


class Replacement:
    """Makes containers by one recipe.

    Args:
        docker: The engine.
        recipe: What to make.
        port: Chooses the port on this machine, when the earlier container has left it.
        on: Where it is shown how far pulls and copies got.
    """

    def __init__(
        self, docker: aiodocker.Docker, recipe: Recipe, port: Callable[[], int], on: Console
    ) -> None:
        self._docker = docker
        self._recipe = recipe
        self._port = port
        self._on = on
        self._next_name = f"{recipe.name}-labgate-next"

    async def create(self) -> DockerContainer:
        """Make and start one where there is none.

        Raises:
            StartError: The image or a folder is not to be had.
        """
        container = await self._make(await self._prepare(), self._recipe.name)
        try:
            await container.start()
        except BaseException:
            # Its port and user are fixed in it: of no use for the next attempt.
            await container.delete(force=True)
            raise
        return container

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
        found = moves(there, (folders, self._recipe.mounts(folders)))
        await self._remove_half_made()
        try:
            if existing["State"].get("Paused"):
                await earlier.unpause()
            await earlier.stop(t=STOP_SECONDS)
            copied = await take_along(self._docker, existing, found, self._recipe.image, self._on)
            fresh = await self._exchange(folders, earlier, copied)
        except BaseException:
            await _as_before(earlier, existing)
            raise
        await earlier.delete(v=False)
        return fresh

    async def _prepare(self) -> Folders:
        """Fetch the image and try what is to be mounted; the image's folders."""
        recipe = self._recipe
        await ensure_image(self._docker, recipe.image, self._on)
        config = (await self._docker.images.inspect(recipe.image))["Config"]
        folders = folders_of(config)
        await require_writable(self._docker, recipe, recipe.mounts(folders), config)
        return folders

    async def _make(self, folders: Folders, name: str) -> DockerContainer:
        body = self._recipe.body(self._port(), folders)
        return await self._docker.containers.create(body, name=name)

    async def _exchange(
        self, folders: Folders, earlier: DockerContainer, copied: tuple[Copied, ...]
    ) -> DockerContainer:
        """Run the new container under the name of the earlier one, which is then set aside."""
        name = self._recipe.name
        fresh = await self._make(folders, self._next_name)
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

    async def _remove_half_made(self) -> None:
        """What a labgate left behind that was killed while it replaced; it never ran."""
        container = self._docker.containers.container(self._next_name)
        try:
            half_made = await container.show()
        except aiodocker.DockerError as error:
            if error.status == 404:
                return
            raise
        if half_made["State"]["Status"] == "created" and is_ours(half_made):
            await container.delete(v=False)


async def lost_by_replacing(docker: aiodocker.Docker, existing: Inspected) -> str:
    """A sentence, after a space, on what goes with the container; empty for nothing."""
    folders, mounts = folders_of(existing["Config"]), mounts_of(existing)
    # aiodocker has no method for it.
    changes = await docker._query_json(f"containers/{existing['Id']}/changes")
    kept = [folders.home, *filter(None, [folders.start]), *(mount.target for mount in mounts)]
    lost = lost_with(changes or (), kept)
    return f" With it go: {lost}." if lost else ""


async def _as_before(container: DockerContainer, existing: Inspected) -> None:
    """Run a container again that was stopped, if it ran."""
    if existing["State"]["Running"]:
        await container.start()
    if existing["State"].get("Paused"):
        await container.pause()
