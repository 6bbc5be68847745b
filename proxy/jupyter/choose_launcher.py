"""Chooses how Jupyter is launched: container, process or not at all."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from proxy.config.effects import ignored_jupyter_keys
from proxy.config.jupyter_settings import JupyterSettings
from proxy.jupyter.container import Confirm, ContainerLauncher
from proxy.jupyter.engine import EngineUnavailable, address_of, connect_engine
from proxy.jupyter.launcher import Launcher
from proxy.jupyter.process import ProcessLauncher
from proxy.runtime.logs import LogLines

log = logging.getLogger("labgate.jupyter")


async def choose_launcher(
    settings: JupyterSettings,
    state_folder: Path,
    progress: Console | None = None,
    claim: Callable[[str], None] = lambda _: None,
    confirm: Confirm | None = None,
    *,
    replaces: bool = True,
) -> Launcher | None:
    """The launcher for the setting ``jupyter.launch``; None for ``none``.

    ``auto`` means a container if a Docker Engine answers, otherwise a process. Always call the
    launcher's ``stop``: it may hold a connection.

    Args:
        settings: The section ``[jupyter]``.
        state_folder: Stores the login token.
        progress: Shows the progress of a pull; standard error by default.
        claim: Called with the engine's address before any container is inspected.
        confirm: Asks a person a question; None if nobody can answer.
        replaces: Whether another Jupyter may take the place of a container that runs: ``auto``
            means a container otherwise, and one that differs from the settings stays.

    Raises:
        StartError: ``jupyter.launch`` is ``docker`` and no engine answers; or the work folder of
            a process cannot be used; or what ``claim`` raises.
    """
    match settings.launch:
        case "none":
            return None
        case "process":
            return _process_launcher(settings, state_folder)
        case "docker":
            docker = await connect_engine()
        case "auto":
            try:
                docker = await connect_engine()
            except EngineUnavailable as error:
                if not replaces:
                    raise  # a container runs that is to go on being used
                log.info("Jupyter is run as a process. %s", error)
                _warn_of_ignored_keys(settings, "process")
                return _process_launcher(settings, state_folder)
            _warn_of_ignored_keys(settings, "docker")
    try:
        claim(address_of(docker))
    except BaseException:
        await docker.close()
        raise
    console = progress or Console(file=sys.stderr if sys.stderr.isatty() else LogLines())
    return ContainerLauncher(settings, state_folder, docker, console, confirm, replaces=replaces)


def _process_launcher(settings: JupyterSettings, state_folder: Path) -> ProcessLauncher:
    launcher = ProcessLauncher(settings, state_folder)
    launcher.require_folder()
    return launcher


def _warn_of_ignored_keys(settings: JupyterSettings, launched: str) -> None:
    """Warn of keys for the other launcher, which are known only after ``auto`` was resolved."""
    if idle := ignored_jupyter_keys(settings.model_fields_set, launched):
        what = "a process" if launched == "process" else "a container"
        log.warning("Jupyter runs as %s, so these have no effect: %s.", what, ", ".join(idle))
