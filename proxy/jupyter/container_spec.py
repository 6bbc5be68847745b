"""The container that the settings describe."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from proxy.config.jupyter_settings import JupyterSettings
from proxy.config.types import memory_bytes
from proxy.jupyter.launcher import Login
from proxy.jupyter.mounts import ContainerMount, Folders, parse_mount, required_mounts
from proxy.jupyter.port import LOOPBACK

JUPYTER_PORT = "8888/tcp"
"""The port that Jupyter listens on inside the container."""

OURS_LABEL = "org.labgate"
SETTINGS_LABEL = "org.labgate.settings"
"""Holds the specification's fingerprint."""

PUBLIC_SETTINGS_LABEL = "org.labgate.asked"
"""Holds the settings without secrets, so that a later start can name the differences."""

# Increment it when `body` changes for the same settings: existing containers are then replaced.
_VERSION = 2
_START_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class ContainerSpec:
    """The settings that a container is created from.

    Attributes:
        name: The container's name.
        image: As written in the settings.
        mount: The volume of the work folder; None for none.
        home: ``jupyter.home``; None for a volume called after the container.
        port: The port on the host; 0 for 8888 or a free one.
        user: ``UID[:GID]``; empty for the image's own.
        memory: Bytes; 0 for no limit.
        login: Whose ``kind`` is ``token`` or ``password``.
        password_hash: Empty unless the login's kind is ``password``.
    """

    name: str
    image: str
    mount: ContainerMount | None
    home: ContainerMount | None
    port: int
    user: str
    memory: int
    login: Login
    password_hash: str = ""

    @property
    def fingerprint(self) -> str:
        """A hash of the settings; it does not reveal the secrets."""
        secret = self.login.token or self.password_hash
        digest = hashlib.sha256(secret.encode()).hexdigest()
        values = self.public_settings | {"version": _VERSION, "secret": digest}
        return hashlib.sha256(_canonical(values).encode()).hexdigest()

    @property
    def public_settings(self) -> dict[str, str | int]:
        """The settings without secrets; empty text or 0 means that it was not configured."""
        return {
            "image": self.image,
            "volume": _written(self.mount),
            "home": _written(self.home),
            "port": self.port,
            "user": self.user,
            "memory": self.memory,
            "login": self.login.kind,
        }

    def mounts(self, folders: Folders) -> tuple[ContainerMount, ...]:
        """The mounts that preserve files, for an image with these folders.

        Raises:
            StartError: ``jupyter.home`` does not fit the image.
        """
        return required_mounts(self.name, folders, self.mount, self.home)

    def body(self, port: int, folders: Folders) -> dict[str, Any]:
        """The Engine API's description of the container, published on ``port``.

        Raises:
            StartError: ``jupyter.home`` does not fit the image.
        """
        command = ["start-notebook.py", "--ServerApp.trust_xheaders=True"]
        if self.password_hash:
            command.append(f"--PasswordIdentityProvider.hashed_password={self.password_hash}")
        host: dict[str, Any] = {
            # On loopback only: clients must not bypass labgate with plain HTTP.
            "PortBindings": {JUPYTER_PORT: [{"HostIp": LOOPBACK, "HostPort": str(port)}]},
            # Limited: a Jupyter that cannot start must not be restarted for ever.
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": _START_ATTEMPTS},
            "Memory": self.memory,
            # Not "Binds": for those the engine creates missing folders, owned by root.
            "Mounts": [
                {"Type": mount.kind, "Source": mount.source, "Target": mount.target}
                for mount in self.mounts(folders)
            ],
        }
        if self.user and not is_root(self.user):
            # The image's home folder belongs to this group, whatever the UID is.
            host["GroupAdd"] = ["users"]
        return {
            "Image": self.image,
            "Cmd": command,
            "Env": [f"JUPYTER_TOKEN={self.login.token}"] if self.login.token else [],
            "User": self.user,
            # The folder that Lab opens: never the root, where files cannot be preserved.
            "WorkingDir": folders.start or folders.home,
            "Labels": {
                OURS_LABEL: "1",
                SETTINGS_LABEL: self.fingerprint,
                PUBLIC_SETTINGS_LABEL: _canonical(self.public_settings),
            },
            "ExposedPorts": {JUPYTER_PORT: {}},
            "HostConfig": host,
        }


def container_spec_of(
    settings: JupyterSettings, token: str, default_mount: ContainerMount | None
) -> ContainerSpec:
    """The specification for the settings.

    Args:
        settings: The section ``[jupyter]``.
        token: Used if they have no password.
        default_mount: Used if they do not say anything about the volume.
    """
    return ContainerSpec(
        name=settings.name,
        image=settings.image,
        mount=default_mount if settings.volume is None else parse_mount(settings.volume),
        home=parse_mount(settings.home),
        port=settings.port,
        user=settings.user,
        memory=memory_bytes(settings.memory_limit),
        login=Login("password") if settings.password else Login("token", token),
        password_hash=settings.password,
    )


def _written(mount: ContainerMount | None) -> str:
    return f"{mount.source}:{mount.target}" if mount else ""


def _canonical(values: dict[str, Any]) -> str:
    return json.dumps(values, sort_keys=True, separators=(",", ":"))


def is_root(user: str) -> bool:
    """Whether ``UID[:GID]`` or a user name is root."""
    return user.partition(":")[0] in ("0", "root")
