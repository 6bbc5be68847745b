"""Which state folder the commands look into for a running labgate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from proxy.admin.socket_path import socket_path
from proxy.config.load import merged
from proxy.config.settings import Settings
from proxy.config.valid_part import valid_part

SERVICE_FOLDER = Path("/var/lib/labgate")
"""Of the systemd service (``StateDirectory=labgate``) and of the image."""


def find_state_folder(file: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder to look into, also where the rest of the configuration is wrong.

    The running labgate knows better what is wrong with it, and may be asked just for that.

    Args:
        file: ``--config``.
        environment: Usually ``os.environ``.
    """
    return instance_folder(_settings(file, environment))


def configured_folder(environment: Mapping[str, str]) -> Path:
    """The folder for a labgate whose configuration is its command line."""
    return _settings(None, environment).state_folder


def instance_folder(settings: Settings, service_folder: Path = SERVICE_FOLDER) -> Path:
    """The configured folder; without one this user's, or the service's if only that is in use."""
    own = settings.state_folder
    if settings.state.folder is not None or _has_socket(own) or not service_folder.is_dir():
        return own
    return service_folder if _has_socket(service_folder) else own


def _settings(file: Path | None, environment: Mapping[str, str]) -> Settings:
    """What can be read of the configuration."""
    read = valid_part({}, environment, file, {})
    settings = read.settings
    if settings is None:  # the values contradict each other
        settings = valid_part(
            {"state": merged(read.sources).get("state", {})}, {}, None, {}
        ).settings
    return settings or Settings()


def _has_socket(folder: Path) -> bool:
    """Whether a labgate made its socket there; True if this user may not look."""
    try:
        return socket_path(folder).exists()
    except PermissionError:
        return True
