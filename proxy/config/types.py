"""The types of configuration keys: lists, ports, times, networks.

Tested by tests/config/test_load.py.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

_MOUNT = re.compile(r"([^:]+):(/[^:]*)")
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_MEMORY = re.compile(r"(\d+)([kmgt]?)b?", re.IGNORECASE)


def _listed(value: object) -> object:
    """Accept a single value, or values separated by commas, for a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return [value] if isinstance(value, Path) else value


Names = Annotated[tuple[str, ...], BeforeValidator(_listed)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_listed)]
Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0)]
Network = IPv4Network | IPv6Network
Challenge = Literal["http-01", "tls-alpn-01"]
Challenges = Annotated[tuple[Challenge, ...], BeforeValidator(_listed)]


def _networks(value: object) -> object:
    """Parse CIDR ranges and single addresses; errors contain an example."""
    listed = _listed(value)
    if not isinstance(listed, list | tuple):
        return listed
    return tuple(_network(part) for part in listed)


def _network(part: object) -> Network:
    try:
        return ip_network(str(part))
    except ValueError:
        raise ValueError(_not_a_network(str(part))) from None


def _not_a_network(text: str) -> str:
    try:
        meant = ip_network(text, strict=False)
    except ValueError:
        return (
            f"{text!r} is neither an address nor a range; write for example 10.0.0.0/8, 192.0.2.7 "
            "or ::1"
        )
    alone = text.partition("/")[0]
    return f"{text!r} has host bits set: the range is {meant}, the address alone {alone}"


def split_mount(text: str, example: str = "jupyter-work:/home/jovyan/work") -> tuple[str, str]:
    """Read ``VOLUME_NAME:/container/path`` or ``/host/folder:/container/path``.

    Returns:
        Source, and the path in the container without a slash at its end. A source that names
        no folder is the name of a volume.

    Raises:
        ValueError: With what to do.
    """
    match = _MOUNT.fullmatch(text)
    if match is None:
        raise ValueError(
            f"{text!r} names no folder in the container; write NAME:/container/path, "
            f"for example {example}"
        )
    source, target = match[1], match[2].rstrip("/") or "/"
    if not is_folder(source) and not _VOLUME_NAME.fullmatch(source):
        raise ValueError(
            f"{text!r}: {source!r} cannot name a volume (letters, digits, _ . -); "
            "for a folder of this machine write its whole path"
        )
    return source, target


def is_folder(source: str) -> bool:
    """Whether a mount's source is a folder of the host, not the name of a volume."""
    return "/" in source or source.startswith("~") or source == "."


def memory_bytes(text: str) -> int:
    """Parse ``4g``, ``512m`` or bytes into a number of bytes; 0 for no limit.

    Raises:
        ValueError: It is malformed; with an example.
    """
    if not text:
        return 0
    match = _MEMORY.fullmatch(text.strip())
    if match is None:
        message = f"{text!r} is not an amount of memory; write for example 4g or 512m"
        raise ValueError(message)
    return int(match[1]) << {"": 0, "k": 10, "m": 20, "g": 30, "t": 40}[match[2].lower()]


NetworkList = Annotated[tuple[Network, ...], BeforeValidator(_networks)]
