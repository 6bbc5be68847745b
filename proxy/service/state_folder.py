"""Which state folder the commands look into for a running labgate."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.admin.socket_path import socket_path
from proxy.config.sources import (
    ENVIRONMENT,
    Sources,
    configuration_file_of,
    default_state_folder,
    from_environment,
    from_file,
    merged,
)
from proxy.errors import UsageError

if TYPE_CHECKING:
    from proxy.config.settings import Settings

SERVICE_FOLDER = Path("/var/lib/labgate")
"""Of the systemd service (``StateDirectory=labgate``) and of the image."""


def find_state_folder(file: Path | None, environment: Mapping[str, str] = os.environ) -> Path:
    """The folder to look into, also where the rest of the configuration is wrong.

    The running labgate knows better what is wrong with it, and may be asked just for that.

    Args:
        file: ``--config``.
        environment: Usually ``os.environ``.
    """
    return _in_use(_configured(file, environment), SERVICE_FOLDER)


def configured_folder(environment: Mapping[str, str]) -> Path:
    """The folder for a labgate whose configuration is its command line."""
    configured = _configured(None, environment)
    return configured if configured is not None else default_state_folder()


def instance_folder(settings: Settings, service_folder: Path = SERVICE_FOLDER) -> Path:
    """The configured folder; without one this user's, or the service's if only that is in use."""
    return _in_use(settings.state.folder, service_folder)


def _in_use(configured: Path | None, service_folder: Path) -> Path:
    if configured is not None:
        return configured
    own = default_state_folder()
    if _has_socket(own) or not service_folder.is_dir():
        return own
    return service_folder if _has_socket(service_folder) else own


def _configured(file: Path | None, environment: Mapping[str, str]) -> Path | None:
    """``state.folder``, if there is one that can be a folder."""
    sources: Sources = [(ENVIRONMENT, from_environment(environment))]
    path, required = configuration_file_of(environment, file)
    with suppress(UsageError):  # whoever needs the rest says so
        sources.append((str(path), from_file(path, required=required)))
    state = merged(sources).get("state")
    folder = state.get("folder") if isinstance(state, dict) else None
    return Path(folder) if isinstance(folder, str) else None


def _has_socket(folder: Path) -> bool:
    """Whether a labgate made its socket there; True if this user may not look."""
    try:
        return socket_path(folder).exists()
    except PermissionError:
        return True
