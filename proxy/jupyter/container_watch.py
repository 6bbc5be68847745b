"""Waits until a container has exited for good, and says why.

Tested by tests/jupyter/test_container_exits.py.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime

import aiodocker
from aiodocker.containers import DockerContainer

from proxy.config.jupyter_settings import JupyterSettings
from proxy.jupyter.engine import EngineError, inspect_container, is_missing
from proxy.jupyter.engine_events import events_of
from proxy.jupyter.exit_cause import ExitCause, container_exit
from proxy.jupyter.launcher import JupyterExit
from proxy.jupyter.pauses import log_pauses
from proxy.runtime.tasks import spawn

log = logging.getLogger("labgate.jupyter")

ENGINE_RETRY_SECONDS = 1.0
EVENT_WAIT_SECONDS = 1.0
"""How long to collect the events of one exit; `docker restart` starts the container within it."""

_STOPPED = JupyterExit(0, "labgate stopped it", (), ExitCause.OUTSIDE)


class ContainerWatch:
    """Watches the container that was launched.

    Args:
        settings: Name it, and its memory limit.
        docker: The engine.
        stopped: Set when labgate has stopped the container and closed the connection to the engine.
    """

    def __init__(
        self, settings: JupyterSettings, docker: aiodocker.Docker, stopped: asyncio.Event
    ) -> None:
        self._name = settings.name
        self._memory_limit = settings.memory_limit
        self._docker = docker
        self._stopped = stopped

    async def final_exit(self, container: DockerContainer, started_at: datetime) -> JupyterExit:
        """Wait for an exit after which nobody else restarts the container.

        Args:
            container: The container.
            started_at: When it was started; earlier events are not of this exit.
        """
        exit_seen = spawn(self._final_exit(container, started_at), "jupyter: exit")
        stopped = spawn(self._stopped.wait(), "jupyter: stopped")
        pauses = spawn(log_pauses(self._docker, container.id, self._name), "jupyter: pauses")
        try:
            # The engine may answer a wait only after the session was closed.
            await asyncio.wait({exit_seen, stopped}, return_when=asyncio.FIRST_COMPLETED)
            return exit_seen.result() if exit_seen.done() else _STOPPED
        finally:
            for task in (exit_seen, stopped, pauses):
                task.cancel()

    async def _final_exit(self, container: DockerContainer, started_at: datetime) -> JupyterExit:
        unreachable = False
        while True:
            try:
                await _not_running(container)
                if self._stopped.is_set():
                    return _STOPPED  # the session is closed
                ended = await self._read_exit(container, started_at)
            except RuntimeError:
                # aiohttp raises it in a session that ``stop`` has closed meanwhile.
                if not self._stopped.is_set():
                    raise
                return _STOPPED
            except EngineError as error:
                # Read the exit when the engine answers again.
                if not unreachable:
                    log.warning("Docker Engine does not answer (%s); asking again", error)
                unreachable = True
                await asyncio.sleep(ENGINE_RETRY_SECONDS)
                continue
            if unreachable:
                log.warning("Docker Engine answers again")
                unreachable = False
            if ended is not None:
                return ended

    async def _read_exit(
        self, container: DockerContainer, started_at: datetime
    ) -> JupyterExit | None:
        """The exit, by the engine's events; None if the container runs again."""
        events = await events_of(self._docker, container.id, started_at, EVENT_WAIT_SECONDS)
        now = await inspect_container(self._docker, container.id)
        state = now["State"] if now is not None else None
        if state is not None and (state["Running"] or state["Restarting"]):
            return None
        lines = await last_lines(container)
        why = container_exit(events, state, lines)
        reason = f"container {self._name} {why.description}"
        if state is not None and state["OOMKilled"] and why.cause is ExitCause.CRASHED:
            reason += f" (jupyter.memory_limit: {self._memory_limit or 'not set'})"
        return JupyterExit(state["ExitCode"] if state is not None else 0, reason, lines, why.cause)


async def last_lines(container: DockerContainer, count: int = 20) -> tuple[str, ...]:
    """The end of a container's log; nothing if the engine does not give it."""
    if count <= 0:
        return ()
    try:
        pieces = await container.log(stdout=True, stderr=True, tail=count)
    except EngineError:
        return ()
    return tuple("".join(pieces).splitlines()[-count:])


async def _not_running(container: DockerContainer) -> None:
    """Wait until the container has exited or was removed."""
    try:
        await container.wait()
    except aiodocker.DockerError as error:
        if not is_missing(error):
            raise
