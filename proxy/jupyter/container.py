"""Jupyter as a container of the Docker Engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import aiodocker
from aiodocker.containers import DockerContainer
from rich.console import Console

from proxy.config.jupyter_settings import JupyterSettings
from proxy.errors import StartError
from proxy.jupyter.activity import describe_container_activity
from proxy.jupyter.container_action import (
    ContainerAction,
    Inspected,
    choose_action,
    login_of,
    published_port,
)
from proxy.jupyter.container_creation import (
    ContainerCreator,
    NotRestoredError,
    describe_loss,
)
from proxy.jupyter.container_log import follow_container_log
from proxy.jupyter.container_spec import ContainerSpec, container_spec_of
from proxy.jupyter.container_watch import ContainerWatch, last_lines
from proxy.jupyter.default_volume import SHARED_VOLUME, default_volume
from proxy.jupyter.engine import EngineError, engine_start_error, inspect_container, is_missing
from proxy.jupyter.folder_permissions import require_writable
from proxy.jupyter.foreign_container import foreign_container_error
from proxy.jupyter.launcher import STOP_SECONDS, JupyterExit, Launched
from proxy.jupyter.login_token import login_token
from proxy.jupyter.mounts import ContainerMount, describe_storage, mounts_of
from proxy.jupyter.port import LOOPBACK
from proxy.net.upstream_address import UpstreamAddress

log = logging.getLogger("labgate.jupyter")

KILLED_EXIT_CODE = 137
"""128 and SIGKILL: the engine waited in vain."""

Confirm = Callable[[str], Awaitable[bool]]
"""Asks a person a question; True for yes."""


class ContainerLauncher:
    """Creates, starts, adopts or replaces one container.

    Always call ``stop``, also after ``launch`` failed: it closes the connection to the engine.

    Args:
        settings: The section ``[jupyter]``.
        token_folder: Stores the login token.
        docker: The engine.
        progress: Shows the progress of a pull.
        confirm: Asks a person whether to replace a container; None if nobody can answer.
        replaces: Whether a container that differs from the settings may be replaced at all.
        stop_seconds: How long Jupyter may take to exit.
        shared_volume: The work volume of earlier versions.
    """

    def __init__(
        self,
        settings: JupyterSettings,
        token_folder: Path,
        docker: aiodocker.Docker,
        progress: Console,
        confirm: Confirm | None = None,
        *,
        replaces: bool = True,
        stop_seconds: int = STOP_SECONDS,
        shared_volume: str = SHARED_VOLUME,
    ) -> None:
        self._replaces = replaces
        self._shared_volume = shared_volume
        self._default_mount: ContainerMount | None = None
        self._stop_seconds = stop_seconds
        self._settings = settings
        self._token_folder = token_folder
        self._docker = docker
        self._progress = progress
        self._confirm = confirm
        self._container: DockerContainer | None = None
        self._port = 0
        self._started_at = datetime.fromtimestamp(0, UTC)
        self._stopped = asyncio.Event()
        self._watch = ContainerWatch(settings, docker, self._stopped)

    async def launch(self) -> Launched:
        try:
            return await self._launch()
        except EngineError as error:
            doing = f"Container {self._settings.name} cannot be started"
            raise engine_start_error(error, doing) from None

    async def wait_for_exit(self) -> JupyterExit:
        return await self._watch.final_exit(self._launched, self._started_at)

    async def relaunch(self) -> Launched:
        try:
            now = await self._launched.show()
            running = now["State"]["Running"] or now["State"]["Restarting"]
            if not running:
                await self._start(now)
            how = "which somebody started again" if running else "started again"
            return await self._launched_now(how)
        except EngineError as error:
            if not is_missing(error):
                raise engine_start_error(
                    error, f"Container {self._settings.name} cannot be started"
                ) from None
        self._confirm = None  # nobody is expected at the terminal
        return await self.launch()

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        if self._container is None or self._stopped.is_set():
            return ()
        return await last_lines(self._container, count)

    def follow_log(self, count: int) -> AsyncIterator[str]:
        return follow_container_log(self._launched, count)

    async def condition(self) -> str:
        try:
            return str((await self._launched.show())["State"]["Status"])
        except (RuntimeError, *EngineError):  # not launched yet, or the engine does not answer
            return ""

    async def stop(self) -> None:
        if self._stopped.is_set():
            return
        try:
            # Stop an adopted one, too: Ctrl-C must not depend on how the last run ended.
            if self._container is not None:
                await self._stop_container(self._container)
        except EngineError as error:
            if not is_missing(error):
                log.warning("container %s could not be stopped: %s", self._settings.name, error)
        finally:
            self._stopped.set()
            await self._docker.close()

    async def leave(self) -> None:
        if not self._stopped.is_set():
            self._stopped.set()
            await self._docker.close()

    async def _stop_container(self, container: DockerContainer) -> None:
        ran = (await container.show())["State"]["Running"]
        await container.stop(t=self._stop_seconds)
        if ran and (await container.show())["State"]["ExitCode"] == KILLED_EXIT_CODE:
            said = "Jupyter did not stop within %g s and was killed (container %s)."
            log.warning(said, self._stop_seconds, self._settings.name)

    async def _spec(self, existing: Inspected | None) -> ContainerSpec:
        if self._settings.volume is None and self._default_mount is None:
            # Once: a container that is made anew has what the one before had.
            self._default_mount = await self._choose_default_volume(existing)
        token = "" if self._settings.password else login_token(self._token_folder)
        return container_spec_of(self._settings, token, self._default_mount)

    async def _choose_default_volume(self, existing: Inspected | None) -> ContainerMount:
        listed = await self._docker._query_json("volumes")
        volumes = {volume["Name"] for volume in listed["Volumes"] or ()}
        chosen = default_volume(self._settings.name, existing, volumes, self._shared_volume)
        if chosen.remark:
            log.warning("%s", chosen.remark)
        return chosen.mount

    @property
    def _launched(self) -> DockerContainer:
        if self._container is None:
            raise RuntimeError("launch() comes first")
        return self._container

    async def _launch(self) -> Launched:
        existing = await inspect_container(self._docker, self._settings.name)
        spec = await self._spec(existing)
        creator = ContainerCreator(self._docker, spec, self._port, self._progress)
        choice = choose_action(existing, spec)
        match choice.action, existing:
            case ContainerAction.REPORT, dict():
                raise await foreign_container_error(existing)
            case ContainerAction.REPLACE, dict():
                how = await self._replace_unless_in_use(creator, existing, choice.reason)
            case ContainerAction.START, dict():
                await require_writable(self._docker, spec, mounts_of(existing), existing["Config"])
                self._container = self._docker.containers.container(existing["Id"])
                await self._start(existing)
                how = "started"
            case ContainerAction.ADOPT, dict():
                self._container = self._docker.containers.container(existing["Id"])
                how = "adopted"
            case _:
                self._container = await creator.create()
                how = "created"
        return await self._launched_now(how)

    async def _launched_now(self, how: str) -> Launched:
        name = self._settings.name
        now = await self._launched.show()
        self._port = published_port(now)
        self._started_at = datetime.fromisoformat(now["State"]["StartedAt"])
        if not self._port:
            # It exited immediately, before the engine published its port.
            raise StartError(f"Container {name} publishes no port. Look at: docker logs {name}.")
        return Launched(
            UpstreamAddress(LOOPBACK, self._port),
            login_of(now),
            f"container {name} (image {now['Config']['Image']}), {how}",
            f"container {name}",
            describe_storage(now),
            outlives_labgate=True,
        )

    async def _replace_unless_in_use(
        self, creator: ContainerCreator, existing: Inspected, reason: str
    ) -> str:
        """Replace the container.

        If it is in use, or files in it would be lost, only when the user confirms.
        """
        name = self._settings.name
        if not self._replaces:
            return await self._keep(
                existing,
                f"Container {name} differs ({reason}).",
                "an upgrade replaces none. `labgate stop` and a new start replace it",
            )
        lost = await describe_loss(self._docker, existing)
        if not self._settings.recreate:
            running = await describe_container_activity(existing)
            if running or lost:
                also = f", and {running}" if running else ""
                differs = f"Container {name} differs ({reason}){also}.{lost}"
                if not await self._confirmed(differs):
                    return await self._keep(existing, differs, "--recreate replaces it")
        try:
            folders = await creator.prepare(existing)
            log.info("Replacing container %s: %s", name, reason)
            if lost:
                log.warning("Container %s is replaced.%s", name, lost)
            self._container = await creator.replace(existing, folders)
        except NotRestoredError as error:
            stopped = f"Container {name} is stopped (`docker start {name}`)"
            raise _not_replaced(error.__cause__, stopped) from None
        except (*EngineError, StartError) as error:
            raise _not_replaced(error, f"Container {name} stays as it was") from None
        return "replaced"

    async def _confirmed(self, differs: str) -> bool:
        if self._confirm is None:
            return False
        try:
            return await self._confirm(f"{differs} Replace it?")
        except asyncio.CancelledError:
            log.info("Container %s is not replaced and stays as it was.", self._settings.name)
            raise

    async def _keep(self, existing: Inspected, differs: str, remedy: str) -> str:
        """Use the container as it is, although it differs."""
        log.warning("%s It goes on as it is; %s.", differs, remedy)
        self._container = self._docker.containers.container(existing["Id"])
        state = existing["State"]
        if state["Running"] and not state.get("Paused"):
            return "adopted as it is"
        await self._start(existing)
        return "started as it is"

    async def _start(self, existing: Inspected) -> None:
        container = self._launched
        if existing["State"].get("Paused"):
            await container.unpause()
        else:
            await container.start()


def _not_replaced(error: BaseException | None, state: str) -> BaseException:
    """The error to raise for one that ended a replacement; ``state`` is the container's now."""
    if isinstance(error, EngineError):
        return engine_start_error(error, f"{state}: another in its place cannot be started")
    if isinstance(error, StartError):
        return type(error)(f"{state}. {error}")
    return error or StartError(f"{state}.")
