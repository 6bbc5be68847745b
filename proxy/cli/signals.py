"""Signals of a labgate that serves: stop it, or reload its configuration.

Tested by tests/e2e/test_signals.py, tests/e2e/test_reload.py and tests/cli/test_run.py.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any

from proxy.cli.ready_lines import print_progress
from proxy.cli.side_listeners import with_side_listeners
from proxy.config.settings import Settings
from proxy.jupyter.launcher import STOP_SECONDS as JUPYTER_STOP_SECONDS
from proxy.jupyter.supervision import is_interactive
from proxy.runtime import ending_signals
from proxy.runtime.tasks import spawn
from proxy.service.lifetime import Lifetime
from proxy.service.live_configuration import LiveConfiguration, Serving


async def until_stopped(
    configuration: LiveConfiguration,
    app: Serving,
    lifetime: Lifetime,
    work: Coroutine[Any, Any, None],
) -> int:
    """Run ``work`` until it returns or a SIGINT or SIGTERM; a second signal ends the draining.

    SIGHUP reloads the configuration, but stops labgate if the terminal was closed. When a
    successor has taken over, open WebSockets are served until they end.

    Returns:
        The exit code: 1 if a successor ended while it took over.
    """
    loop = asyncio.get_running_loop()
    serving = with_side_listeners(configuration, app, lifetime, work)
    working = loop.create_task(serving, name="serving")

    def on_signal(number: int) -> None:
        if working.cancelling() or working.done():
            lifetime.force.set()
            return
        lifetime.jupyter_too = number == signal.SIGINT and not lifetime.is_shared
        print_progress(f"Stopping …{wait}")
        working.cancel()

    def on_released() -> None:
        lifetime.jupyter_too = False
        working.cancel()

    lifetime.handover.on_serving = app.leave_to_others
    lifetime.handover.on_released = on_released
    in_terminal = _has_terminal()
    longest = longest_wait(configuration.settings)
    wait = f" ({longest}; Ctrl-C again ends at once)" if in_terminal else ""

    def on_hangup() -> None:
        if in_terminal and not _has_terminal():
            on_signal(signal.SIGHUP)
        else:
            spawn(configuration.reload(app, "SIGHUP"), "reload")

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal, number)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
    try:
        with suppress(asyncio.CancelledError):
            await working
        if lifetime.handover.successor:
            # If nobody serves, the service manager should start labgate again soon.
            lost = lifetime.handover.is_lost
            limit = 0 if lost else configuration.settings.listen.handover_seconds
            await app.wait_for_clients(limit, lifetime.force)
            await app.stop(lifetime.force)
    finally:
        ending_signals.ignore([signal.SIGINT, signal.SIGTERM])
    return 1 if lifetime.handover.is_lost else 0


def longest_wait(settings: Settings) -> str:
    """Describe what a stop waits for, and for how long at most."""
    seconds = f"{settings.listen.drain_seconds:g} s"
    served_only = settings.upstream.url or not settings.site_has_jupyter
    if settings.jupyter.launch == "none" or served_only:
        return f"open requests get {seconds}"
    return f"open requests get {seconds}, then Jupyter gets {JUPYTER_STOP_SECONDS:g} s"


def runs_interactively() -> bool:
    """Whether a person runs labgate in a terminal."""
    return is_interactive(os.environ, (os.isatty(0), os.isatty(2)), sys.argv)


def _has_terminal() -> bool:
    """Whether there is a controlling terminal (tty(4)), even if input and output are redirected."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
