"""What a key of the configuration can hold: lists, ports, times, networks."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field


def _listed(value: object) -> object:
    """A single value, or commas in the environment, where a list is meant."""
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
    """CIDR ranges and single addresses; the error says what would be right."""
    listed = _listed(value)
    if not isinstance(listed, list | tuple):
        return listed
    return tuple(_network(part) for part in listed)


def _network(part: object) -> Network:
    try:
        return ip_network(str(part))
    except ValueError as error:
        raise ValueError(f"{error}; write for example 10.0.0.0/8, 192.0.2.7 or ::1") from None


def host_and_port(text: str) -> tuple[str, int]:
    """``HOST:PORT``, an IPv6 address in brackets, in its parts.

    Raises:
        ValueError: It is something else.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT; write for example 127.0.0.1:9464")
    return host.removeprefix("[").removesuffix("]"), int(port)


Networks = Annotated[tuple[Network, ...], BeforeValidator(_networks)]
