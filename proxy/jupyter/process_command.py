"""How Jupyter is started as a process: the command, its environment, the file with the login.

Tested by tests/jupyter/test_process.py.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

from proxy.errors import StartError
from proxy.jupyter.launcher import Login
from proxy.jupyter.port import LOOPBACK
from proxy.runtime.secret_files import write_atomically
from proxy.runtime.system_commands import COMMANDS

INSTALL_COMMAND = f"{sys.executable} -m pip install jupyterlab"
"""Installs Jupyter into labgate's own environment."""

_NOT_INHERITED = (
    # They set another login than the one that labgate prints.
    "JUPYTER_TOKEN",
    "JUPYTER_TOKEN_FILE",
    # It makes Jupyter ignore the configuration file with the login.
    "JUPYTER_NO_CONFIG",
    # Set for labgate alone (config/labgate.service); it makes Python a little slower.
    "PYTHONMALLOC",
    # systemd sets them for labgate alone.
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PID",
)


def jupyter_program() -> list[str]:
    """The command that runs JupyterLab: of labgate's environment, otherwise from PATH.

    Raises:
        StartError: There is none.
    """
    if importlib.util.find_spec("jupyterlab") is not None:
        # -P: a random.py in the notebook folder must not replace Python's.
        return [sys.executable, "-P", "-m", "jupyterlab"]
    if found := shutil.which("jupyter"):
        return [found, "lab"]
    raise StartError(
        f"There is no Jupyter to launch. Install one: {INSTALL_COMMAND}; "
        f"or start a Docker Engine: {COMMANDS.start_engine}."
    )


def arguments(port: int, folder: Path) -> list[str]:
    """Jupyter's command line, which overrides the user's configuration files.

    It contains no secret, because every user of the machine can read it.
    """
    given = [
        "--no-browser",
        f"--ServerApp.ip={LOOPBACK}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.trust_xheaders=True",
        f"--ServerApp.root_dir={folder}",
        # The user's configuration may set another path, TLS or a socket.
        "--ServerApp.base_url=/",
        "--ServerApp.certfile=",
        "--ServerApp.keyfile=",
        "--ServerApp.sock=",
    ]
    return [*given, "--allow-root"] if os.geteuid() == 0 else given


def environment(configuration: Path) -> dict[str, str]:
    """The environment of Jupyter and its kernels: labgate's, without labgate's own variables.

    The folders in JUPYTER_CONFIG_PATH have the highest priority for Jupyter.
    """
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in _NOT_INHERITED and not name.startswith("LABGATE_")
    }
    folders = [str(configuration), *filter(None, [inherited.get("JUPYTER_CONFIG_PATH")])]
    return inherited | {"JUPYTER_CONFIG_PATH": os.pathsep.join(folders)}


def write_configuration(state_folder: Path, login: Login, password_hash: str) -> Path:
    """Write the login to a configuration folder that only this user can read.

    Raises:
        StartError: The folder cannot be written.
    """
    if login.kind == "token":
        content = {"IdentityProvider": {"token": login.token}}
    else:
        content = {
            # `jupyter server password` writes the first; the second has priority.
            "IdentityProvider": {"hashed_password": password_hash},
            "PasswordIdentityProvider": {"hashed_password": password_hash},
        }
    folder = state_folder / "jupyter"
    path = folder / "jupyter_server_config.json"
    try:
        write_atomically(path, json.dumps(content).encode("utf-8"))
    except OSError as error:
        raise StartError(
            f"Jupyter's login cannot be written to {path}: {error.strerror}. "
            "Make the folder writable, or name another with state.folder."
        ) from None
    return folder
