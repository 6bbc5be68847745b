"""Sets of addresses: the allow-list, and the proxies that are trusted."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

MAX_ADDRESS_CHARACTERS = 45
"""Characters of the longest IP address, an IPv6 one that ends like an IPv4 one."""

MAX_CACHED_ADDRESSES = 4096

_MAPPED = IPv6Network("::ffff:0:0/96")


class Networks:
    """CIDR ranges, for asking whether an address (as text) is in one of them.

    IPv4-mapped IPv6 (RFC 4291 section 2.5.5.2) is IPv4 here, in ranges and addresses,
    and an address' zone (RFC 4007) counts for nothing. What is no IP address, as the
    other end of a Unix socket, is in no range. Answers are remembered, a bounded number.
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
    """An IP address without a zone, IPv4-mapped ones as IPv4; None for anything else."""
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
    """The address that a client is counted by: an IPv6 one with its /64, which one customer has.

    The loopback stays itself: its network's other addresses are nobody's.
    """
    address = parse_address(peer)
    if isinstance(address, IPv6Address) and not address.is_loopback:
        return str(IPv6Network((address, 64), strict=False))
    return peer if address is None else str(address)


def plain_address(peer: str) -> str:
    """The one spelling of a connection's other end: no zone, IPv4-mapped as IPv4.

    What is no IP address stays as it is.
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
