"""Jupyter as a container of the Docker Engine."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiodocker
from aiodocker.containers import DockerContainer
from rich.console import Console

from proxy.errors import StartError
from proxy.jupyter.engine import EngineError, refused
from proxy.jupyter.events import events_of
from proxy.jupyter.exit_cause import ExitCause, container_exit
from proxy.jupyter.launcher import Ended, Launched, Login
from proxy.jupyter.plan import Adopt, Create, Inspected, Replace, SetAside, Start, is_ours, plan
from proxy.jupyter.port import LOOPBACK, usual_or_free_port
from proxy.jupyter.pull import ensure_image
from proxy.jupyter.recipe import JUPYTER_PORT, Recipe, make_recipe
from proxy.jupyter.token import login_token
from proxy.settings import JupyterSettings
from proxy.tasks import spawn
from proxy.upstream.address import UpstreamAddress

log = logging.getLogger("labgate.jupyter")

STOP_SECONDS = 10
ENGINE_RETRY_SECONDS = 1.0
SETTLE_SECONDS = 1.0
"""How long the events of one exit may come apart; a `docker restart` starts it within that."""


_STOPPED = Ended(0, "labgate stopped it", (), ExitCause.OUTSIDE)


class ContainerLauncher:
    """Adopts, starts or makes one container.

    ``stop`` also closes the connection to the engine, so it has to be called in any case,
    after a ``launch`` that failed too.
    """

    def __init__(
        self,
        settings: JupyterSettings,
        token_folder: Path,
        docker: aiodocker.Docker,
        progress: Console,
    ) -> None:
        self._settings = settings
        self._token_folder = token_folder
        self._docker = docker
        self._progress = progress
        self._container: DockerContainer | None = None
        self._port = 0
        self._started_at = datetime.fromtimestamp(0, UTC)
        self._ends_with_labgate = False
        self._stopped = asyncio.Event()

    async def launch(self) -> Launched:
        recipe = self._recipe()
        try:
            return await self._launch(recipe)
        except EngineError as error:
            raise refused(error, f"Container {recipe.name} cannot be started") from None

    async def ended(self) -> Ended:
        exit_seen = spawn(self._exit(), "jupyter: exit")
        stopped = spawn(self._stopped.wait(), "jupyter: stopped")
        try:
            # The engine's answer to a wait may outlive the session that asked for it.
            await asyncio.wait({exit_seen, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return exit_seen.result() if exit_seen.done() else _STOPPED
        finally:
            exit_seen.cancel()
            stopped.cancel()

    async def relaunch(self) -> Launched:
        # What Ctrl-C stops was said at the start, and stays so.
        ends_with_labgate = self._ends_with_labgate
        try:
            now = await self._launched.show()
            running = now["State"]["Running"] or now["State"]["Restarting"]
            if not running:
                await self._start(now)
            self._ends_with_labgate = ends_with_labgate
            how = "which somebody started again" if running else "started again"
            return await self._launched_now(self._recipe(), how)
        except EngineError as error:
            if not _is_missing(error):
                raise refused(error, f"Container {self._settings.name} cannot be started") from None
        return await self.launch()

    async def last_lines(self, count: int = 20) -> tuple[str, ...]:
        if self._container is None or self._stopped.is_set() or count <= 0:
            return ()
        try:
            pieces = await self._container.log(stdout=True, stderr=True, tail=count)
        except EngineError:
            return ()
        return tuple("".join(pieces).splitlines()[-count:])

    async def stop(self) -> None:
        if self._stopped.is_set():
            return
        try:
            if self._ends_with_labgate and self._container is not None:
                await self._container.stop(t=STOP_SECONDS)
        except EngineError as error:
            if not _is_missing(error):
                log.warning("container %s could not be stopped: %s", self._settings.name, error)
        finally:
            self._stopped.set()
            await self._docker.close()

    async def _exit(self) -> Ended:
        """Wait for an exit after which nobody else starts it again."""
        away = False
        while True:
            try:
                await _not_running(self._launched)
                if self._stopped.is_set():
                    return _STOPPED  # and there is nobody left to ask
                ended = await self._told_by_engine()
            except EngineError as error:
                # What became of Jupyter it tells when it is back.
                if not away:
                    log.warning("Docker Engine does not answer (%s); asking again", error)
                away = True
                await asyncio.sleep(ENGINE_RETRY_SECONDS)
                continue
            if away:
                log.warning("Docker Engine answers again")
                away = False
            if ended is not None:
                return ended

    async def _told_by_engine(self) -> Ended | None:
        """How it ended; None when it runs (again), by the engine's doing or somebody's."""
        container = self._launched
        name = f"container {self._settings.name}"
        events = await events_of(self._docker, container.id, self._started_at, SETTLE_SECONDS)
        now = await self._inspect(container.id)
        state = now["State"] if now is not None else None
        if state is not None and (state["Running"] or state["Restarting"]):
            return None
        lines = await self.last_lines()
        why = container_exit(events, state, lines)
        reason = f"{name} {why.what}"
        if state is not None and state["OOMKilled"] and why.cause is ExitCause.CRASHED:
            reason += f" (jupyter.memory_limit: {self._settings.memory_limit or 'none of ours'})"
        return Ended(state["ExitCode"] if state is not None else 0, reason, lines, why.cause)

    def _recipe(self) -> Recipe:
        password = bool(self._settings.password)
        return make_recipe(self._settings, "" if password else login_token(self._token_folder))

    @property
    def _launched(self) -> DockerContainer:
        if self._container is None:
            raise RuntimeError("launch() comes first")
        return self._container

    async def _launch(self, recipe: Recipe) -> Launched:
        existing = await self._inspect(recipe.name)
        verdict = plan(existing, recipe)
        match verdict, existing:
            case (Replace() | SetAside() | Create(), _):
                # Before anything is touched: without the image all that would be in vain.
                await ensure_image(self._docker, recipe.image, self._progress)
                how = await self._make(recipe, verdict, existing)
            case (Start(), dict()):
                self._container = self._docker.containers.container(existing["Id"])
                await self._start(existing)
                how = "started"
            case (Adopt(), dict()):
                self._container = self._docker.containers.container(existing["Id"])
                # What Ctrl-C stops must not depend on how the last run ended.
                self._ends_with_labgate = is_ours(existing)
                how = "adopted"
        return await self._launched_now(recipe, how)

    async def _launched_now(self, recipe: Recipe, how: str) -> Launched:
        now = await self._launched.show()
        self._port = _published_port(now)
        self._started_at = datetime.fromisoformat(now["State"]["StartedAt"])
        return Launched(
            UpstreamAddress(LOOPBACK, self._port),
            recipe.login if is_ours(now) else Login("unknown"),
            f"container {recipe.name} (image {now['Config']['Image']}), {how}",
            f"container {recipe.name}" if self._ends_with_labgate else "",
        )

    async def _make(
        self, recipe: Recipe, verdict: Create | Replace | SetAside, existing: Inspected | None
    ) -> str:
        """Make and start the container; if that fails everything is as it was."""
        if existing is None:
            await self._create(recipe)
            return "created"
        earlier = self._docker.containers.container(existing["Id"])
        aside = f"{recipe.name}-before-labgate-{datetime.now():%Y%m%d-%H%M%S}"
        was_running = existing["State"]["Running"]
        await self._stop_paused_or_running(earlier, existing)
        await earlier.rename(aside)
        try:
            await self._create(recipe)
        except BaseException:
            await earlier.rename(recipe.name)
            if was_running:
                await earlier.start()
            raise
        if isinstance(verdict, Replace):
            await earlier.delete(v=False)
            return f"replaced ({verdict.reason})"
        await self._never_restart(aside)
        log.warning(
            "container %s was not made by labgate and differs (%s): stopped, kept as %s",
            *(recipe.name, verdict.reason, aside),
        )
        return f"created; the one there was ({verdict.reason}) is kept as {aside}"

    async def _create(self, recipe: Recipe) -> None:
        port = recipe.port or self._port or usual_or_free_port()
        container = await self._docker.containers.create(recipe.body(port), name=recipe.name)
        try:
            await container.start()
        except BaseException:
            # Its port and user are fixed in it: of no use for the next attempt.
            await container.delete(force=True)
            raise
        self._container = container
        self._ends_with_labgate = True

    async def _start(self, existing: Inspected) -> None:
        container = self._launched
        if existing["State"].get("Paused"):
            await container.unpause()
        else:
            await container.start()
        self._ends_with_labgate = True

    async def _stop_paused_or_running(
        self, container: DockerContainer, existing: Inspected
    ) -> None:
        if existing["State"].get("Paused"):
            await container.unpause()
        await container.stop(t=STOP_SECONDS)

    async def _never_restart(self, name: str) -> None:
        """Else a container made with --restart always takes its port back after a reboot."""
        # aiodocker has no method for it.
        await self._docker._query_json(
            f"containers/{name}/update", "POST", data={"RestartPolicy": {"Name": "no"}}
        )

    async def _inspect(self, name: str) -> dict[str, Any] | None:
        try:
            return await self._docker.containers.container(name).show()
        except aiodocker.DockerError as error:
            if _is_missing(error):
                return None
            raise


async def _not_running(container: DockerContainer) -> None:
    """Wait until it has ended, or is gone."""
    try:
        await container.wait()
    except aiodocker.DockerError as error:
        if not _is_missing(error):
            raise


def _is_missing(error: BaseException) -> bool:
    return isinstance(error, aiodocker.DockerError) and error.status == 404


def _published_port(inspected: Inspected) -> int:
    """The port on this machine.

    Raises:
        StartError: It ended at once, so that the engine published nothing for it.
    """
    live = (inspected["NetworkSettings"].get("Ports") or {}).get(JUPYTER_PORT)
    fixed = (inspected["HostConfig"].get("PortBindings") or {}).get(JUPYTER_PORT)
    for binding in (live or []) + (fixed or []):
        if binding.get("HostPort"):
            return int(binding["HostPort"])
    name = inspected.get("Name", "").lstrip("/")
    raise StartError(f"Container {name} publishes no port. Look at: docker logs {name}.")
