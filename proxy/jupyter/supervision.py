"""Starts a Jupyter again that ended, for as long as labgate runs."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Mapping, Sequence

from proxy.errors import StartError
from proxy.jupyter.exit_cause import ExitCause
from proxy.jupyter.launcher import JupyterExit, Launched, Launcher

log = logging.getLogger("labgate.jupyter")

RESTART_DELAYS_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
RESET_DELAY_AFTER_SECONDS = 60.0
"""A Jupyter that ran for so long starts with the first delay again."""

MAX_LOGGED_LINES = 10


def is_interactive(environment: Mapping[str, str], terminals: Sequence[bool]) -> bool:
    """Whether a person started labgate and looks at it: then Jupyter's own Shut Down ends both.

    A service manager is recognised by its readiness socket, and by naming this very process
    (systemd.exec(5)). Not by INVOCATION_ID, which every program of a desktop session inherits.

    Args:
        environment: ``os.environ``.
        terminals: Whether standard input, and whether standard error is a terminal.
    """
    if environment.get("NOTIFY_SOCKET"):
        return False
    if environment.get("SYSTEMD_EXEC_PID") == str(os.getpid()):
        return False
    return any(terminals)


class Supervision:
    """Looks after the Jupyter of one launcher.

    Args:
        launcher: Has launched it.
        interactive: Whether Jupyter's own Shut Down is to end labgate as well.
        on_relaunch: Called after every start; Jupyter may have another address then.
        restart_delays_seconds: Before each further start; the last one goes for all that follow.
    """

    def __init__(
        self,
        launcher: Launcher,
        *,
        interactive: bool,
        on_relaunch: Callable[[Launched], None],
        restart_delays_seconds: Sequence[float] = RESTART_DELAYS_SECONDS,
    ) -> None:
        self._launcher = launcher
        self._interactive = interactive
        self._on_relaunch = on_relaunch
        self._restart_delays = restart_delays_seconds
        self._starts = 0

    async def run(self) -> JupyterExit:
        """Start Jupyter again whenever it ends; return when it was shut down on purpose."""
        loop = asyncio.get_running_loop()
        while True:
            since = loop.time()
            ended = await self._launcher.wait_for_exit()
            if ended.cause is ExitCause.SHUT_DOWN and self._interactive:
                return ended
            if loop.time() - since > RESET_DELAY_AFTER_SECONDS:
                self._starts = 0
            self._log_exit(ended, self._delay)
            launched = await self._start()
            log.info("Jupyter runs again: %s, at %s", launched.description, launched.address)
            self._on_relaunch(launched)

    async def _start(self) -> Launched:
        """Start it, however long it takes until that works."""
        logged = ""
        while True:
            delay = self._delay
            self._starts += 1
            await asyncio.sleep(delay)
            try:
                return await self._launcher.relaunch()
            except (StartError, OSError) as error:
                # Once for each reason: it may stay the same for days.
                if (reason := str(error)) != logged:
                    log.error("Jupyter cannot be started again: %s Tried until it works.", reason)
                logged = reason

    @property
    def _delay(self) -> float:
        return self._restart_delays[min(self._starts, len(self._restart_delays) - 1)]

    def _log_exit(self, ended: JupyterExit, delay: float) -> None:
        expected = ended.cause in (ExitCause.OUTSIDE, ExitCause.SHUT_DOWN)
        level = logging.WARNING if expected else logging.ERROR
        log.log(level, "Jupyter ended: %s; starting it again in %g s", ended.reason, delay)
        if not expected:
            for line in ended.last_lines[-MAX_LOGGED_LINES:]:
                log.log(level, "  %s", line)
