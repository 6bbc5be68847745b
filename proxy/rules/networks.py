"""Sets of IP addresses, for the allow-list and the trusted proxies.

Tested by tests/rules/test_client.py and tests/access/test_lockout.py.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

MAX_ADDRESS_CHARACTERS = 45
"""The length of the longest IP address: IPv6 with an IPv4 suffix."""

MAX_CACHED_ADDRESSES = 4096

_MAPPED = IPv6Network("::ffff:0:0/96")
_LOCALHOST = "127.0.0.1"


class Networks:
    """CIDR ranges; ``text in networks`` says whether an address is in one of them.

    IPv4-mapped IPv6 addresses (RFC 4291 section 2.5.5.2) are treated as IPv4, and zones
    (RFC 4007) are ignored. Text that is not an IP address, as of a Unix socket, is in no range.
    A bounded number of results is cached.
    """

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network] = ()) -> None:
        self._networks = tuple(_as_ipv4(network) for network in networks)
        self._answer = lru_cache(MAX_CACHED_ADDRESSES)(self._search)

    def __bool__(self) -> bool:
        return bool(self._networks)

    def __contains__(self, text: str) -> bool:
        return bool(self._networks) and self._answer(text)

    def _search(self, text: str) -> bool:
        address = parse_address(text.partition("%")[0])
        return address is not None and any(address in network for network in self._networks)


NO_NETWORKS = Networks()


def parse_address(text: str) -> IPv4Address | IPv6Address | None:
    """Parse an IP address without a zone, IPv4-mapped ones as IPv4; None if it is invalid."""
    if len(text) > MAX_ADDRESS_CHARACTERS or "%" in text:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


@lru_cache(MAX_CACHED_ADDRESSES)
def limit_key(peer: str) -> str:
    """The key for limits of a client: its IPv4 address, or its IPv6 /64, which one customer has.

    ``::1`` is 127.0.0.1: a client of localhost chooses either, and would otherwise have twice as
    many attempts.
    """
    address = parse_address(peer)
    if isinstance(address, IPv6Address):
        if address.is_loopback:
            return _LOCALHOST
        return str(IPv6Network((address, 64), strict=False))
    return peer if address is None else str(address)


def plain_address(peer: str) -> str:
    """Normalise a peer's address: without a zone, IPv4-mapped as IPv4.

    Text that is not an IP address is not changed.
    """
    if ":" not in peer:
        return peer
    address = parse_address(peer.partition("%")[0])
    return peer if address is None else str(address)


def _as_ipv4(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.subnet_of(_MAPPED):
        mapped = int(network.network_address) & 0xFFFF_FFFF
        return IPv4Network((mapped, network.prefixlen - _MAPPED.prefixlen))
    return network
