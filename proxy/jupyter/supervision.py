"""Restarts Jupyter when it exits, as long as labgate runs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence

from proxy.errors import StartError
from proxy.jupyter.exit_cause import ExitCause
from proxy.jupyter.launcher import JupyterExit, Launched, Launcher
from proxy.jupyter.readiness import poll, wait_until_ready
from proxy.jupyter.served_jupyter import ServedJupyter
from proxy.runtime.tasks import spawn

log = logging.getLogger("labgate.jupyter")

RESTART_DELAYS_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
RESET_DELAY_AFTER_SECONDS = 60.0
"""After answering for this long, the next restart has the first delay again. An exit caused from
outside has it whenever Jupyter had answered before: it is no recurring fault of Jupyter's own."""

MAX_LOGGED_LINES = 10


def is_interactive(
    environment: Mapping[str, str], terminals: Sequence[bool], arguments: Sequence[str]
) -> bool:
    """Whether a person runs labgate in a terminal: then Jupyter's Shut Down ends labgate, too.

    A service manager is recognised by its readiness socket, or by SYSTEMD_EXEC_PID naming this
    process (systemd.exec(5)); every program of a desktop session inherits INVOCATION_ID. After an
    upgrade labgate runs behind the terminal of its predecessor, where Ctrl-C does not reach it.

    Args:
        environment: ``os.environ``.
        terminals: Whether standard input, and whether standard error is a terminal.
        arguments: ``sys.argv``.
    """
    if "--take-over" in arguments:
        return False
    if environment.get("NOTIFY_SOCKET"):
        return False
    if environment.get("SYSTEMD_EXEC_PID") == str(os.getpid()):
        return False
    return any(terminals)


class Supervision:
    """Restarts the Jupyter of one launcher.

    Args:
        launcher: The launcher, after its ``launch``.
        interactive: Whether Jupyter's Shut Down ends labgate as well.
        on_relaunch: Called after every further start; Jupyter may have another address then.
        jupyter: Records every change.
        may_restart: Clear while another labgate looks after Jupyter.
        restart_delays_seconds: The delay before each restart; the last one is repeated.
    """

    def __init__(
        self,
        launcher: Launcher,
        *,
        interactive: bool,
        on_relaunch: Callable[[Launched], None],
        jupyter: ServedJupyter | None = None,
        may_restart: asyncio.Event | None = None,
        restart_delays_seconds: Sequence[float] = RESTART_DELAYS_SECONDS,
    ) -> None:
        self._launcher = launcher
        self._interactive = interactive
        self._on_relaunch = on_relaunch
        self._jupyter = jupyter or ServedJupyter()
        self._may_restart = may_restart
        self._restart_delays = restart_delays_seconds
        self._starts = 0
        self._ready_at = asyncio.get_running_loop().time()

    async def wait_for_first_answer(self, launched: Launched, timeout_seconds: float) -> Launched:
        """Wait until Jupyter answers; call it before ``run``.

        If it is ended from outside meanwhile, it is started again.

        Args:
            launched: What ``launch`` returned.
            timeout_seconds: How long each start may take.

        Returns:
            The Jupyter that answers.

        Raises:
            StartError: It exited by itself, or did not answer in time.
        """
        while ended := await wait_until_ready(self._launcher, launched.address, timeout_seconds):
            launched = await self._restart(ended)
        self._jupyter.enter("running")
        self._ready_at = asyncio.get_running_loop().time()
        return launched

    async def run(self) -> JupyterExit:
        """Restart Jupyter whenever it exits; return if a person shut it down."""
        loop = asyncio.get_running_loop()
        answered_at: float | None = self._ready_at
        ended = await self._launcher.wait_for_exit()
        while True:
            if ended.cause is ExitCause.SHUT_DOWN and self._interactive:
                return ended
            if answered_at is not None and (
                ended.cause is ExitCause.OUTSIDE
                or loop.time() - answered_at > RESET_DELAY_AFTER_SECONDS
            ):
                self._starts = 0
            launched = await self._restart(ended)
            ended, answered_at = await self._until_exit(launched)

    async def _restart(self, ended: JupyterExit) -> Launched:
        self._log_exit(ended)
        self._jupyter.enter("restarting", ended.reason)
        if self._may_restart is not None:
            await self._may_restart.wait()
        launched = await self._start()
        log.info("Jupyter is started again: %s, at %s", launched.description, launched.address)
        self._jupyter.launched(launched)
        self._on_relaunch(launched)
        return launched

    async def _until_exit(self, launched: Launched) -> tuple[JupyterExit, float | None]:
        """Wait for its exit; also returns when it first answered, None if it never did."""
        answered_at = None
        ended = spawn(self._launcher.wait_for_exit(), "jupyter: exit")
        try:
            await poll(launched.address, ended)
            if not ended.done():
                answered_at = asyncio.get_running_loop().time()
                self._jupyter.enter("running")
                log.info("Jupyter answers again, at %s", launched.address)
            return await ended, answered_at
        finally:
            ended.cancel()

    async def _start(self) -> Launched:
        """Try to start it until that succeeds."""
        logged = ""
        while True:
            delay = self._delay
            self._starts += 1
            await asyncio.sleep(delay)
            try:
                return await self._launcher.relaunch()
            except (StartError, OSError) as error:
                # Log each reason once: it may persist for days.
                if (reason := str(error)) != logged:
                    log.error("Jupyter cannot be started again: %s Tried until it works.", reason)
                logged = reason
                self._jupyter.enter("restarting", reason)

    @property
    def _delay(self) -> float:
        return self._restart_delays[min(self._starts, len(self._restart_delays) - 1)]

    def _log_exit(self, ended: JupyterExit) -> None:
        expected = ended.cause in (ExitCause.OUTSIDE, ExitCause.SHUT_DOWN)
        level = logging.WARNING if expected else logging.ERROR
        log.log(level, "Jupyter ended: %s; starting it again in %g s", ended.reason, self._delay)
        if not expected:
            for line in ended.last_lines[-MAX_LOGGED_LINES:]:
                log.log(level, "  %s", line)
