"""Who is asking: the client's address, told by trusted proxies, and the allow-list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache

from .model import Refuse, RequestHead, Site
from .networks import MAX_ADDRESS_CHARACTERS, MAX_CACHED_ADDRESSES, Networks, parse_address

MAX_HOPS = 32
"""Entries of X-Forwarded-For that are looked at; no chain of proxies is that long."""

_MAX_ENTRY_CHARACTERS = MAX_ADDRESS_CHARACTERS + len("[]:65535")


def with_client_address(head: RequestHead, trusted: Networks) -> RequestHead:
    """The head with its client's address as the trusted proxies tell it.

    Nothing changes where the connection comes from anybody else, or from a sender that
    did not announce whom it relays: then the fields are a stranger's.
    """
    arrival = head.arrival
    if not arrival.vouched or arrival.peer not in trusted:
        return head
    forwarded_for = head.values(b"x-forwarded-for")
    if not forwarded_for:
        return head
    return head.from_peer(client_address(arrival.peer, forwarded_for, trusted))


def client_address(peer: str, forwarded_for: Sequence[bytes], trusted: Networks) -> str:
    """The last address of the way here that a trusted proxy vouches for.

    Every proxy appends whom it was called by, so the walk starts at the connection and
    goes from right to left, over all lines, for as long as the one who wrote the entry is
    trusted. It ends at what is not an IP address, and after ``MAX_HOPS`` entries.

    Args:
        peer: The other end of the connection.
        forwarded_for: The values of X-Forwarded-For, in order.
        trusted: The proxies that are believed.
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
    """Whether the client's address is on the allow-list; an empty one lets everybody in."""
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

    Ports are what Azure's and Microsoft's proxies add. Names, ``unknown`` and zones are
    no addresses.
    """
    entry = entry.strip(b" \t")
    # Nothing long is remembered.
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
    """The last ``MAX_HOPS`` entries of a list field, the last one first."""
    left = MAX_HOPS
    for value in reversed(values):
        # What is beyond the bound stays in one piece: a long value costs no more.
        entries = value.rsplit(b",", left)
        whole = entries if len(entries) <= left else entries[1:]
        yield from reversed(whole)
        left -= len(whole)
        if left <= 0:
            return
