"""The syntax of an authority (RFC 3986 section 3.2, RFC 9110 section 7.2)."""

from __future__ import annotations

import re

_AUTHORITY = re.compile(
    rb"(?:\[[0-9A-Za-z.:]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?"
)


def host_with_port(host: str, port: int | None) -> str:
    """``host:port``, with an IPv6 address in brackets; the host alone without a port."""
    written = f"[{host}]" if ":" in host else host
    return written if port is None else f"{written}:{port}"


def is_authority(value: bytes) -> bool:
    """Whether this is a valid Host: a host and an optional port, without userinfo."""
    return _AUTHORITY.fullmatch(value) is not None


def host_only(authority: bytes) -> bytes:
    """The host of an authority in lower case, without port and brackets."""
    if authority.startswith(b"["):
        return authority[1:].partition(b"]")[0].lower()
    return authority.partition(b":")[0].lower()


def port_only(authority: bytes) -> bytes:
    """The port of an authority as digits; empty if it has none."""
    return authority.rpartition(b"]")[2].partition(b":")[2]
