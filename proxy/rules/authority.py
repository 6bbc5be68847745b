"""The syntax of an authority (RFC 3986 section 3.2, RFC 9110 section 7.2)."""

from __future__ import annotations

import re

_AUTHORITY = re.compile(
    rb"(?:\[[0-9A-Za-z.:]+\]|(?:[A-Za-z0-9._~!$&'()*+;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?"
)


_MAX_LABEL_OCTETS = 63
"""RFC 1035 section 2.3.4."""


def can_be_looked_up(host: str) -> bool:
    """Whether a resolver can be asked for a name, or it is an address.

    Where a label is empty or too long ``socket.getaddrinfo`` raises a UnicodeError, which is no
    OSError; what stands behind a NUL it does not see. One dot at the end is right (RFC 1034
    section 3.1).
    """
    if not host.isascii():
        try:
            host = host.encode("idna").decode("ascii")
        except UnicodeError:
            return False
    labels = host.removesuffix(".").split(".")
    return "\0" not in host and all(0 < len(label) <= _MAX_LABEL_OCTETS for label in labels)


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
