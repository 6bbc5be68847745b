"""The client's address, as trusted proxies report it, and the allow-list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from .decision import Refuse
from .head import RequestHead
from .networks import MAX_ADDRESS_CHARACTERS, MAX_CACHED_ADDRESSES, Networks, parse_address
from .site import Site

MAX_HOPS = 32
"""The limit of entries of X-Forwarded-For; real chains of proxies are shorter."""

_MAX_ENTRY_CHARACTERS = MAX_ADDRESS_CHARACTERS + len("[]:65535")


def with_client_address(head: RequestHead, trusted: Networks) -> RequestHead:
    """The head with the client's address that trusted proxies report.

    The head is unchanged if the peer is not a trusted proxy, or if the sender of the PROXY
    protocol withheld the client's address: then any client may have written the fields.
    """
    arrival = head.arrival
    if not arrival.client_known or arrival.peer not in trusted:
        return head
    forwarded_for = head.values(b"x-forwarded-for")
    if not forwarded_for:
        return head
    return head.from_peer(client_address(arrival.peer, forwarded_for, trusted))


def client_address(peer: str, forwarded_for: Sequence[bytes], trusted: Networks) -> str:
    """The last address that a trusted proxy reports.

    Every proxy appends the address of its client. So start at the connection's peer and go
    through the entries from right to left, while the proxy that wrote the entry is trusted. Stop
    at text that is not an IP address, and after ``MAX_HOPS`` entries.

    Args:
        peer: The peer of the connection.
        forwarded_for: The values of X-Forwarded-For, in order.
        trusted: The trusted proxies.
    """
    address = peer
    for entry in _from_the_right(forwarded_for):
        if address not in trusted:
            return address
        named = entry_address(entry)
        if named is None:
            return address
        address = named
    return address


def check_allowed(head: RequestHead, site: Site) -> Refuse | None:
    """Refuse a client that is not on the allow-list; an empty list allows all."""
    if not site.allow or head.arrival.peer in site.allow:
        return None
    return Refuse(
        403,
        "allow-list",
        "This network address is not one of those that are let in here.",
        close=True,
    )


def entry_address(entry: bytes) -> str | None:
    """The address of ``v4``, ``v4:port``, ``v6``, ``[v6]`` or ``[v6]:port``; None otherwise.

    Proxies of Azure add ports. Names, ``unknown`` and zones are not addresses.
    """
    entry = entry.strip(b" \t")
    # Do not cache long entries.
    return _entry_address(entry) if len(entry) <= _MAX_ENTRY_CHARACTERS else None


@lru_cache(MAX_CACHED_ADDRESSES)
def _entry_address(entry: bytes) -> str | None:
    try:
        text = entry.decode("ascii")
    except UnicodeDecodeError:
        return None
    separator = port = ""
    if bracketed := text.startswith("["):
        text, closing, rest = text[1:].partition("]")
        if not closing or ":" not in text or (rest and not rest.startswith(":")):
            return None
        separator, port = rest[:1], rest[1:]
    elif text.count(":") == 1:
        text, separator, port = text.partition(":")
    if separator and not (port.isdecimal() and len(port) <= 5 and int(port) <= 65535):
        return None
    address = parse_address(text)
    if address is None or (separator and not bracketed and address.version == 6):
        return None
    return str(address)


def _from_the_right(values: Sequence[bytes]) -> Iterator[bytes]:
    """The last ``MAX_HOPS`` entries of a list field, in reverse order."""
    left = MAX_HOPS
    for value in reversed(values):
        # Do not split entries beyond the limit: a long value costs no more.
        entries = value.rsplit(b",", left)
        whole = entries if len(entries) <= left else entries[1:]
        yield from reversed(whole)
        left -= len(whole)
