"""Parses the PROXY protocol, versions 1 and 2: the header that a load balancer sends first.

It follows HAProxy's ``doc/proxy-protocol.txt``, whose sections are cited. Headers that are not
exactly right are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from .networks import parse_address

V1_MAX_OCTETS = 107
"""The longest line of version 1, its CRLF included (section 2.1)."""

V2_MAX_OCTETS = 4096
"""The longest accepted header of version 2; the format itself allows 65,551."""

V2_SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"

_V1_START = b"PROXY "
_V2_FIXED_OCTETS = 16
_LOCAL, _PROXY = 0, 1
_FAMILIES, _TRANSPORTS = 3, 2
_STREAM = 1
_IPV4, _IPV6 = 1, 2
_ADDRESS_OCTETS = {_IPV4: 4, _IPV6: 16}
_PORTS_OCTETS = 4


@dataclass(frozen=True, slots=True)
class Header:
    """A complete header.

    Attributes:
        length: The octets of the header; the octets after it are the client's.
        source: The client's address; None for a connection of the sender itself (LOCAL, as
            health checks) or an unknown client (UNKNOWN, UNSPEC, Unix sockets).
    """

    length: int
    source: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """The octets are not a valid header; ``reason`` is for the log."""

    reason: str


def parse_proxy_header(data: bytes) -> Header | Fault | None:
    """Parse the header at the start of ``data``; None if more octets are needed.

    With None, all octets so far belong to the header. It never raises, and further octets do
    not change a result that is not None.
    """
    if _may_start_with(data, V2_SIGNATURE):
        return _version_2(data)
    if _may_start_with(data, _V1_START):
        return _version_1(data)
    return Fault("no PROXY header")


def _may_start_with(data: bytes, start: bytes) -> bool:
    return data[: len(start)] == start[: len(data)]


def _version_1(data: bytes) -> Header | Fault | None:
    """Section 2.1: one line of text."""
    line, end, _ = data[:V1_MAX_OCTETS].partition(b"\r\n")
    if not end:
        too_long = len(data) >= V1_MAX_OCTETS
        return Fault("a line of version 1 without an end") if too_long else None
    length = len(line + end)
    protocol, *rest = line[len(_V1_START) :].split(b" ")
    if protocol == b"UNKNOWN":
        return Header(length, None)
    if protocol not in (b"TCP4", b"TCP6") or len(rest) != 4:
        return Fault("a malformed line of version 1")
    kind = IPv4Address if protocol == b"TCP4" else IPv6Address
    source, target = (_address(word, kind) for word in rest[:2])
    if source is None or target is None or not (_is_port(rest[2]) and _is_port(rest[3])):
        return Fault("a malformed address in a line of version 1")
    return Header(length, source)


def _address(word: bytes, kind: type[IPv4Address | IPv6Address]) -> str | None:
    # No octet beyond ASCII belongs to an address.
    text = word.decode("latin-1")
    address = parse_address(text)
    if address is None or (":" in text) != (kind is IPv6Address):
        return None
    return str(address)


def _is_port(word: bytes) -> bool:
    if not word.isdigit() or (word[:1] == b"0" and word != b"0"):
        return False
    return int(word) <= 65535


def _version_2(data: bytes) -> Header | Fault | None:
    """Section 2.2: signature, version and command, family, length, addresses, the rest."""
    if len(data) < _V2_FIXED_OCTETS:
        return None
    version, command = divmod(data[12], 16)
    family, transport = divmod(data[13], 16)
    rest = int.from_bytes(data[14:16])
    length = _V2_FIXED_OCTETS + rest
    if version != 2 or command not in (_LOCAL, _PROXY):
        return Fault("an unknown version or command in the binary header")
    if length > V2_MAX_OCTETS:
        return Fault(f"a binary header of {length} octets; {V2_MAX_OCTETS} are taken")
    if command == _PROXY and (family > _FAMILIES or transport > _TRANSPORTS):
        return Fault("an unknown address family or transport in the binary header")
    size = _ADDRESS_OCTETS.get(family) if (command, transport) == (_PROXY, _STREAM) else None
    if size is not None and rest < 2 * size + _PORTS_OCTETS:
        return Fault("a binary header too short for its addresses")
    if len(data) < length:
        return None
    if size is None:
        return Header(length, None)
    source = data[_V2_FIXED_OCTETS : _V2_FIXED_OCTETS + size]
    address = IPv4Address(source) if size == 4 else IPv6Address(source)
    return Header(length, str(parse_address(str(address))))
