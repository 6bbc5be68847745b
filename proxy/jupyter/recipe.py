"""The container that the settings ask for."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from proxy.errors import StartError
from proxy.jupyter.launcher import Login
from proxy.jupyter.port import LOOPBACK
from proxy.settings import JupyterSettings
from proxy.values import memory_bytes

JUPYTER_PORT = "8888/tcp"
"""Where Jupyter listens inside the container."""

OURS_LABEL = "org.labgate"
SETTINGS_LABEL = "org.labgate.settings"

# Raise it when `body` changes what it makes of the same settings: containers that an
# earlier labgate made are then replaced.
_VERSION = 1
_START_ATTEMPTS = 3
_MOUNT = re.compile(r"([^:]+):(/[^:]*)")
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")


@dataclass(frozen=True, slots=True)
class Mount:
    """A named volume or a folder of this machine, and where the container sees it."""

    kind: Literal["volume", "bind"]
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Recipe:
    """What the container is made from.

    Attributes:
        name: The container's name.
        image: As written in the settings.
        mount: Where the work is kept; None for nowhere.
        port: The port on this machine; 0 for 8888 or a free one.
        user: ``UID[:GID]``; empty for the image's own.
        memory: Bytes; 0 for no limit.
        login: Whose ``kind`` is ``token`` or ``password``.
        password_hash: Empty unless the login's kind is ``password``.
    """

    name: str
    image: str
    mount: Mount | None
    port: int
    user: str
    memory: int
    login: Login
    password_hash: str = ""

    @property
    def fingerprint(self) -> str:
        """Equal for equal settings; tells nothing of the secrets among them."""
        secret = self.login.token or self.password_hash
        values = {
            "version": _VERSION,
            "image": self.image,
            "mount": [self.mount.kind, self.mount.source, self.mount.target] if self.mount else [],
            "port": self.port,
            "user": self.user,
            "memory": self.memory,
            "login": [self.login.kind, hashlib.sha256(secret.encode()).hexdigest()],
        }
        canonical = json.dumps(values, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def body(self, port: int) -> dict[str, Any]:
        """The Engine API's description of the container, published on ``port``."""
        command = ["start-notebook.py", "--ServerApp.trust_xheaders=True"]
        if self.password_hash:
            command.append(f"--PasswordIdentityProvider.hashed_password={self.password_hash}")
        host: dict[str, Any] = {
            # On loopback only: plain HTTP must not be reachable past the edge.
            "PortBindings": {JUPYTER_PORT: [{"HostIp": LOOPBACK, "HostPort": str(port)}]},
            # Limited, so that a Jupyter that cannot start ends instead of trying for ever.
            "RestartPolicy": {"Name": "on-failure", "MaximumRetryCount": _START_ATTEMPTS},
            "Memory": self.memory,
            "Mounts": [],
        }
        if self.mount is not None:
            # Not "Binds": there a missing folder is made by the engine, owned by root.
            host["Mounts"] = [
                {
                    "Type": self.mount.kind,
                    "Source": self.mount.source,
                    "Target": self.mount.target,
                }
            ]
        if self.user and not _is_root(self.user):
            # The image's home belongs to this group, whatever the user's number.
            host["GroupAdd"] = ["users"]
        return {
            "Image": self.image,
            "Cmd": command,
            "Env": [f"JUPYTER_TOKEN={self.login.token}"] if self.login.token else [],
            "User": self.user,
            "Labels": {OURS_LABEL: "1", SETTINGS_LABEL: self.fingerprint},
            "ExposedPorts": {JUPYTER_PORT: {}},
            "HostConfig": host,
        }


def make_recipe(settings: JupyterSettings, token: str) -> Recipe:
    """Read the settings; ``token`` is used when they have no password.

    Raises:
        StartError: ``jupyter.volume`` is malformed.
    """
    return Recipe(
        name=settings.name,
        image=settings.image,
        mount=parse_mount(settings.volume),
        port=settings.port,
        user=settings.user,
        memory=memory_bytes(settings.memory_limit),
        login=Login("password") if settings.password else Login("token", token),
        password_hash=settings.password,
    )


def parse_mount(text: str) -> Mount | None:
    """Read ``NAME:/container/path`` or ``/host/folder:/container/path``; empty is none.

    Raises:
        StartError: With the mend.
    """
    if not text:
        return None
    match = _MOUNT.fullmatch(text)
    if match is None:
        raise StartError(
            f"jupyter.volume {text!r} names no folder in the container. "
            "Write NAME:/container/path, for example jupyter-work:/home/jovyan/work."
        )
    source, target = match[1], match[2].rstrip("/") or "/"
    if "/" in source or source.startswith("~") or source == ".":
        return Mount("bind", str(Path(source).expanduser().absolute()), target)
    if not _VOLUME_NAME.fullmatch(source):
        raise StartError(
            f"jupyter.volume {text!r}: {source!r} cannot name a volume (letters, digits, _ . -). "
            "For a folder of this machine write its whole path."
        )
    return Mount("volume", source, target)


def _is_root(user: str) -> bool:
    return user.partition(":")[0] in ("0", "root")
