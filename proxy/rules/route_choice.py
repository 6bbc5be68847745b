"""Which of several sites a request is for: by its Host, then by the longest path.

It is chosen before anything is decided, because each has rules of its own.
"""

from __future__ import annotations

import re
from typing import Generic, TypeVar

from .decision import Refuse
from .head import RequestHead
from .prefixes import PrefixTree, routed_path
from .site import Site
from .target import origin_form

V = TypeVar("V")

_SLASHES = re.compile(rb"//+")


class RouteChoice(Generic[V]):
    """What belongs to each public name, and to paths there.

    Args:
        elsewhere: For requests that name none of them, or cannot be understood.
    """

    def __init__(self, elsewhere: V) -> None:
        self._elsewhere = elsewhere
        self._by_authority: dict[bytes, PrefixTree[V]] = {}

    def add(self, site: Site, path: str, value: V) -> None:
        """``value`` is for what begins with ``path`` at every name of ``site``."""
        for authority in site.authorities:
            self._by_authority.setdefault(authority, PrefixTree()).set(path.encode(), value)

    def find(self, head: RequestHead) -> V:
        """The value for the request's name and path."""
        if not head.target.startswith(b"/"):
            normal = origin_form(head)
            if isinstance(normal, Refuse):
                return self._elsewhere
            head = normal
        hosts = head.values(b"host")
        if len(hosts) != 1:
            return self._elsewhere
        tree = self._by_authority.get(hosts[0].lower())
        if tree is None:
            return self._elsewhere
        path = routed_path(head, by_host=False)
        found = tree.find(path) if b"//" not in path else _found_without_doubt(tree, path)
        return self._elsewhere if found is None else found


def _found_without_doubt(tree: PrefixTree[V], path: bytes) -> V | None:
    """What a path with empty segments is for; None if upstreams may differ on that.

    They count (RFC 3986 section 3.3), and Jupyter finds nothing at ``//ada/lab``. nginx and others
    leave them out: ``/`` would serve what the route ``/ada`` guards.
    """
    # The tree itself leaves those at the beginning out.
    as_sent = tree.find(b"/" if path.startswith(b"//") else path)
    return as_sent if as_sent is tree.find(_SLASHES.sub(b"/", path)) else None
