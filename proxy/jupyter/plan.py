"""What to do about the container that is there already. Decides; waits for nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proxy.jupyter.recipe import JUPYTER_PORT, OURS_LABEL, SETTINGS_LABEL, Recipe

Inspected = Mapping[str, Any]
"""What the Engine API says of a container."""


@dataclass(frozen=True, slots=True)
class Create:
    """There is none: make it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """It runs and is what is wanted: use it."""

    reason: str


@dataclass(frozen=True, slots=True)
class Start:
    """It is what is wanted, but does not run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Replace:
    """It is ours and differs: remove it (never its volume), make it anew."""

    reason: str


@dataclass(frozen=True, slots=True)
class SetAside:
    """It is somebody else's and differs: stop and rename it, make ours."""

    reason: str


Plan = Create | Adopt | Start | Replace | SetAside


def plan(existing: Inspected | None, wanted: Recipe) -> Plan:
    """Decide by what is there and what is wanted; the reason names what differs."""
    if existing is None:
        return Create(f"there is no container {wanted.name}")
    differing = ", ".join(differences(existing, wanted))
    if is_ours(existing):
        # The label also covers what cannot be read back, such as the login.
        if _labels(existing).get(SETTINGS_LABEL) != wanted.fingerprint:
            return Replace(differing or "login or other settings changed")
    elif differing:
        return SetAside(differing)
    state = existing["State"]
    if not state["Running"]:
        return Start(f"it is {state.get('Status') or 'stopped'}")
    return Start("it is paused") if state.get("Paused") else Adopt("it runs as wanted")


def is_ours(existing: Inspected) -> bool:
    """Whether a labgate made it."""
    return OURS_LABEL in _labels(existing)


def differences(existing: Inspected, wanted: Recipe) -> Iterator[str]:
    """What can be seen to differ; a setting without a wish in it never does."""
    config, host = existing["Config"], existing["HostConfig"]
    image = config.get("Image", "")
    if _full_name(image) != _full_name(wanted.image):
        yield f"image {image} instead of {wanted.image}"
    yield from _differences_in_publishing(host.get("PortBindings") or {}, wanted.port)
    if wanted.mount is not None and not _mounted(existing, wanted):
        yield f"no {wanted.mount.source} at {wanted.mount.target}"
    memory = host.get("Memory") or 0
    if wanted.memory and memory != wanted.memory:
        yield f"memory limit {_mebibytes(memory)} instead of {_mebibytes(wanted.memory)}"
    user = config.get("User", "")
    if wanted.user and user != wanted.user:
        yield f"user {user or 'of the image'} instead of {wanted.user}"


def _differences_in_publishing(bindings: Mapping[str, Any], port: int) -> Iterator[str]:
    published = bindings.get(JUPYTER_PORT) or []
    open_to = [b.get("HostIp") for b in published if not _is_loopback(b.get("HostIp", ""))]
    if not published:
        yield "port 8888 not published"
    elif open_to:
        yield f"port 8888 published on {open_to[0] or 'every interface'}"
    elif port and str(port) not in {binding.get("HostPort") for binding in published}:
        yield f"port {published[0].get('HostPort')} instead of {port}"


def _mounted(existing: Inspected, wanted: Recipe) -> bool:
    mount = wanted.mount
    return mount is None or any(
        there.get("Type") == mount.kind
        and there.get("Destination", "").rstrip("/") == mount.target.rstrip("/")
        and there.get("Name" if mount.kind == "volume" else "Source") == mount.source
        for there in existing.get("Mounts") or ()
    )


def _is_loopback(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _mebibytes(count: int) -> str:
    return f"{count / (1 << 20):g} MiB" if count else "none"


def _labels(existing: Inspected) -> Mapping[str, str]:
    return existing["Config"].get("Labels") or {}


def _full_name(image: str) -> str:
    """``NAME:TAG`` with what the engine fills in."""
    image = image.removeprefix("docker.io/").removeprefix("library/")
    return image if ":" in image.rpartition("/")[2] or "@" in image else f"{image}:latest"
