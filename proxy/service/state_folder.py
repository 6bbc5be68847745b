"""Which state folder the commands look into for a running labgate."""

from __future__ import annotations

from pathlib import Path

from proxy.admin.socket_path import socket_path
from proxy.config.settings import Settings

SERVICE_FOLDER = Path("/var/lib/labgate")
"""Of the systemd service (``StateDirectory=labgate``) and of the image."""


def instance_folder(settings: Settings, service_folder: Path = SERVICE_FOLDER) -> Path:
    """The configured folder; without one this user's, or the service's if only that is in use."""
    own = settings.state_folder
    if settings.state.folder is not None or _has_socket(own) or not service_folder.is_dir():
        return own
    return service_folder if _has_socket(service_folder) else own


def _has_socket(folder: Path) -> bool:
    """Whether a labgate made its socket there; True if this user may not look."""
    try:
        return socket_path(folder).exists()
    except PermissionError:
        return True
