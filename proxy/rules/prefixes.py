"""Finds the longest known prefix of a path, in whole segments.

The time of a look-up depends on the segments of the path, not on how many prefixes there are.
Tested by tests/rules/test_prefixes.py.
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar
from urllib.parse import unquote_to_bytes

from .authority import host_only
from .head import RequestHead

V = TypeVar("V")

_SLASH = re.compile(rb"/|%2[fF]")
_LEADING_SLASHES = re.compile(rb"^(?:/|%2[fF])+")


class _Node(Generic[V]):
    """What may follow one prefix.

    A prefix that nothing follows has no node, but a value in the one above: so it is with most of
    a Hub's, and a node takes 64 octets.
    """

    __slots__ = ("following", "values")

    def __init__(self) -> None:
        self.values: dict[bytes, V] = {}
        self.following: dict[bytes, _Node[V]] = {}


class PrefixTree(Generic[V]):
    """A value for each of many prefixes: a trie of whole segments."""

    def __init__(self) -> None:
        self._of_all: V | None = None
        self._root: _Node[V] = _Node()

    def set(self, prefix: bytes, value: V) -> None:
        """From now on ``value`` belongs to ``prefix``."""
        *above, last = segments(prefix) or [b""]
        if not last:
            self._of_all = value
            return
        node = self._root
        for segment in above:
            below = node.following.get(segment)
            if below is None:
                below = node.following[segment] = _Node()
            node = below
        node.values[last] = value

    def remove(self, prefix: bytes) -> None:
        """From now on nothing belongs to ``prefix``; it may not have before."""
        *above, last = segments(prefix) or [b""]
        if not last:
            self._of_all = None
            return
        way: list[tuple[_Node[V], bytes]] = []
        node = self._root
        for segment in above:
            below = node.following.get(segment)
            if below is None:
                return
            way.append((node, segment))
            node = below
        node.values.pop(last, None)
        for parent, segment in reversed(way):
            below = parent.following[segment]
            if below.values or below.following:
                return
            del parent.following[segment]

    def find(self, path: bytes) -> V | None:
        """The value of the longest prefix of ``path``; None if there is none."""
        found, node = self._of_all, self._root
        # As ``segments``, in place: this is done for each request.
        for segment in path.strip(b"/").split(b"/"):
            if (value := node.values.get(segment)) is not None:
                found = value
            if (below := node.following.get(segment)) is None:
                break
            node = below
        return found


def segments(path: bytes) -> list[bytes]:
    """The segments of a decoded path; slashes at its ends make none."""
    stripped = path.strip(b"/")
    return stripped.split(b"/") if stripped else []


def routed_path(head: RequestHead, *, by_host: bool) -> bytes:
    """The path that a request is routed by: decoded, and with the host as its first segment.

    Args:
        head: In origin-form.
        by_host: Whether the host comes first, in lower case and without the port.
    """
    path = head.target.partition(b"?")[0]
    if b"%" in path:
        path = unquote_to_bytes(path)
    if not by_host:
        return path
    hosts = head.values(b"host")
    return b"/" + (host_only(hosts[0]) if hosts else b"") + path


def without_prefix(target: bytes, count: int) -> bytes:
    """A request target without its first ``count`` segments; what is left is not changed.

    An encoded slash (``%2F``) ends a segment, too, because prefixes are compared after decoding.
    """
    path, question, query = target.partition(b"?")
    parts = _SLASH.split(_LEADING_SLASHES.sub(b"", path), count)
    rest = parts[count] if len(parts) > count else b""
    return b"/" + rest + question + query


def at_target(target: bytes, base: bytes, query: bytes, cut: int) -> bytes:
    """The request target at an upstream that has a path and perhaps a query of its own.

    Args:
        target: The request's.
        base: The upstream's path, which comes first.
        query: The upstream's query; the request's is appended.
        cut: How many segments of the request's path are left out.
    """
    if cut:
        target = without_prefix(target, cut)
    path, _, own = target.partition(b"?")
    queries = b"&".join(part for part in (query, own) if part)
    joined = base + path[1:] if base.endswith(b"/") else base + path
    return joined + b"?" + queries if queries else joined
