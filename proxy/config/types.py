"""The types of configuration keys: lists, ports, times, networks.

Tested by tests/config/test_load.py.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from proxy.rules.site import WebOrigin

_HOST_NAME = re.compile(r"(?!-)[a-z0-9-]{1,63}(?<!-)(\.(?!-)[a-z0-9-]{1,63}(?<!-))*")
_MOUNT = re.compile(r"([^:]+):(/[^:]*)")
_VOLUME_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]*")
_PRIVATE = ("internal", "invalid", "lan", "local", "localhost", "test")
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


def host_and_port(text: str) -> tuple[str, int]:
    """Parse ``HOST:PORT``, with IPv6 addresses in brackets.

    Raises:
        ValueError: It is malformed.
    """
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not HOST:PORT; write for example 127.0.0.1:9464")
    return host.removeprefix("[").removesuffix("]"), int(port)


def parse_web_origin(text: str) -> WebOrigin:
    """Parse ``https://NAME[:PORT]``, or ``http://`` for this machine.

    Raises:
        ValueError: It is malformed; with what to write.
    """
    scheme, separator, authority = text.strip().rstrip("/").partition("://")
    if not separator or scheme not in ("https", "http"):
        raise ValueError(f"{text!r} is not the address of a site, as https://portal.example.org")
    if scheme == "https":
        return parse_domain(authority, 443)
    origin = parse_domain(authority, 80)._replace(scheme="http")
    if not is_loopback_name(origin.host):
        raise ValueError(f"{text!r}: anybody on the way can change a page without TLS; use https")
    return origin


def parse_domain(text: str, default_port: int) -> WebOrigin:
    """Parse ``NAME[:PORT]`` as a public HTTPS origin.

    Raises:
        ValueError: It is malformed; with what to write.
    """
    text = text.strip()
    host, separator, port = text.lower().partition(":")
    if "*" in text:
        message = f"{text!r}: wildcards are not supported; name each domain, as lab.example.org"
        raise ValueError(message)
    if "/" in text:
        message = f"{text!r} is an address; write the bare name, for example lab.example.org"
        raise ValueError(message)
    if text.startswith("["):
        host, _, rest = text[1:].partition("]")
        separator, port = rest[:1], rest[1:]
        if not is_address(host) or ":" not in host or separator not in ("", ":"):
            message = f"{text!r} is not an IPv6 address; write for example [2001:db8::1]:8443"
            raise ValueError(message)
        host = str(ip_address(host))  # as browsers write it
    elif is_address(text):
        if ":" in text:
            message = f"{text!r}: write an IPv6 address in brackets: [{text}]"
            raise ValueError(message)
    elif not host.isascii():
        raise ValueError(f"{text!r}: {_in_ascii(host)}")
    elif not _HOST_NAME.fullmatch(host):
        message = f"{text!r} is not a domain name; write NAME or NAME:PORT, as lab.example.org"
        raise ValueError(message)
    if separator and not (port.isdecimal() and 0 < int(port) <= 65535):
        message = f"{text!r}: the port must be a number from 1 to 65535"
        raise ValueError(message)
    return WebOrigin("https", host, int(port) if port else default_port)


def is_loopback_name(host: str) -> bool:
    """Whether only this machine is meant (RFC 6761 section 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    return is_address(host) and ip_address(host).is_loopback


def is_public_name(host: str) -> bool:
    """Whether it can be a public domain, for which a public CA issues certificates.

    Not one without a dot, and none that is set apart for private use (RFC 6761, RFC 6762,
    RFC 8375, and ICANN's resolution 2024.07.29.06 for ``internal``).
    """
    labels = host.split(".")
    return len(labels) > 1 and labels[-1] not in _PRIVATE and labels[-2:] != ["home", "arpa"]


def is_address(host: str) -> bool:
    """Whether it is an IP address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _in_ascii(host: str) -> str:
    try:
        return f"write the name as it goes over the wire: {host.encode('idna').decode('ascii')}"
    except UnicodeError:
        return "this is not a domain name, as lab.example.org is"


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
