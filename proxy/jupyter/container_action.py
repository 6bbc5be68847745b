"""Decides what to do about an existing container. Pure: does no I/O."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from proxy.jupyter.container_spec import (
    JUPYTER_PORT,
    OURS_LABEL,
    PUBLIC_SETTINGS_LABEL,
    SETTINGS_LABEL,
    ContainerSpec,
)
from proxy.jupyter.launcher import Login
from proxy.jupyter.mounts import folders_of, mount_of, mounts_of

Inspected = Mapping[str, Any]
"""A container as the Engine API describes it (``GET /containers/ID/json``)."""

_TOKEN = "JUPYTER_TOKEN="  # noqa: S105  a name
_HASH = "--PasswordIdentityProvider.hashed_password="
_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


class ContainerAction(Enum):
    """What to do."""

    CREATE = auto()
    """There is no container: create one."""
    ADOPT = auto()
    """It runs and matches the settings: use it."""
    START = auto()
    """It matches the settings, but does not run: start it."""
    REPLACE = auto()
    """labgate created it with other settings: create another, then remove it, not its volumes."""
    REPORT = auto()
    """labgate did not create it: do not touch it, and report it."""


@dataclass(frozen=True, slots=True)
class Choice:
    """An action, and why: for ``REPLACE`` the differences, each a clause."""

    action: ContainerAction
    reason: str


def choose_action(existing: Inspected | None, wanted: ContainerSpec) -> Choice:
    """Compare the existing container with the specification; the reason names the differences."""
    if existing is None:
        return Choice(ContainerAction.CREATE, f"there is no container {wanted.name}")
    if not is_ours(existing):
        return Choice(ContainerAction.REPORT, "labgate did not make it")
    if _labels(existing).get(SETTINGS_LABEL) != wanted.fingerprint:
        differing = "; ".join(container_differences(existing, wanted))
        return Choice(ContainerAction.REPLACE, differing or "made by another version of labgate")
    state = existing["State"]
    if not state["Running"]:
        return Choice(ContainerAction.START, f"it is {state.get('Status') or 'stopped'}")
    if state.get("Paused"):
        return Choice(ContainerAction.START, "it is paused")
    return Choice(ContainerAction.ADOPT, "it runs as wanted")


def is_ours(existing: Inspected) -> bool:
    """Whether labgate created it."""
    return OURS_LABEL in _labels(existing)


def container_differences(existing: Inspected, wanted: ContainerSpec) -> Iterator[str]:
    """The differences, each a clause: ``memory limit: was none, will be 2 GiB``."""
    was, will = public_settings_of(existing, wanted), wanted.public_settings
    if _full_name(str(was["image"])) != _full_name(wanted.image):
        yield _change("image", was["image"], wanted.image)
    if was["login"] != will["login"]:
        yield _change("login", f"a {was['login']}", f"a {will['login']}")
    elif login_of(existing) != wanted.login or _password_hash(existing) != wanted.password_hash:
        yield f"login: another {wanted.login.kind}"
    memory = int(was["memory"])
    if memory != wanted.memory:
        yield _change("memory limit", _byte_count(memory), _byte_count(wanted.memory))
    for key, nothing in (("volume", "none"), ("port", "any free one"), ("user", "the image's own")):
        if was[key] != will[key]:
            stays = " (what is in it stays there)" if key == "volume" and was[key] else ""
            yield _change(key, f"{was[key] or nothing}{stays}", will[key] or nothing)
    if was["home"] != will["home"]:
        default = f"volume {wanted.name}-home"
        yield _change("home", was["home"] or default, will["home"] or default)


def public_settings_of(existing: Inspected, wanted: ContainerSpec) -> dict[str, str | int]:
    """The settings that the container was created with (see ``ContainerSpec.public_settings``)."""
    label = _labels(existing).get(PUBLIC_SETTINGS_LABEL)
    return json.loads(label) if label else _inferred_settings(existing, wanted)


def _inferred_settings(existing: Inspected, wanted: ContainerSpec) -> dict[str, str | int]:
    """The settings of a container that an earlier version created without that label.

    It always has a user and a port, whether they were configured or not.
    """
    config, host = existing["Config"], existing["HostConfig"]
    mounts = mounts_of(existing)
    home_mount = mount_of(folders_of(config).home, mounts)
    return {
        "image": config.get("Image", ""),
        "volume": ", ".join(f"{mount.source}:{mount.target}" for mount in mounts),
        "home": wanted.public_settings["home"] if home_mount else "the container alone",
        "port": wanted.port and published_port(existing),
        "user": wanted.user and config.get("User", ""),
        "memory": host.get("Memory") or 0,
        "login": login_of(existing).kind,
    }


def login_of(existing: Inspected) -> Login:
    """Who can log in to a container that labgate created, whatever the settings are now."""
    if _password_hash(existing):
        return Login("password")
    for entry in existing["Config"].get("Env") or ():
        if entry.startswith(_TOKEN):
            return Login("token", entry.removeprefix(_TOKEN))
    return Login("unknown")


def _password_hash(existing: Inspected) -> str:
    for argument in existing["Config"].get("Cmd") or ():
        if argument.startswith(_HASH):
            return str(argument.removeprefix(_HASH))
    return ""


def published_port(existing: Inspected) -> int:
    """The container's port on the host's loopback interface; 0 for none."""
    live = (existing["NetworkSettings"].get("Ports") or {}).get(JUPYTER_PORT)
    fixed = (existing["HostConfig"].get("PortBindings") or {}).get(JUPYTER_PORT)
    for binding in (live or []) + (fixed or []):
        if binding.get("HostPort"):
            return int(binding["HostPort"])
    return 0


def _change(what: str, was: object, will: object) -> str:
    return f"{what}: was {was}, will be {will}"


def _byte_count(count: int) -> str:
    for unit, name in _UNITS:
        if count >= unit:
            return f"{count / unit:g} {name}"
    return f"{count} bytes" if count else "none"


def _labels(existing: Inspected) -> Mapping[str, str]:
    return existing["Config"].get("Labels") or {}


def _full_name(image: str) -> str:
    """``NAME:TAG`` with the default registry and tag written the same way."""
    image = image.removeprefix("docker.io/").removeprefix("library/")
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"
