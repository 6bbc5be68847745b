"""The routes of a Hub, and the connections of those that are in use."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import time
from typing import Any, TypeAlias

from proxy.hub.hub_route import HubRoute
from proxy.hub.journal import Journal
from proxy.hub.stored_route import StoredRoute, to_json
from proxy.hub.targets import RouteTarget, check_target, parse_target
from proxy.net.upstream_tls import UpstreamTls
from proxy.proxying.pool import Pool
from proxy.proxying.router import Route
from proxy.rules.prefixes import PrefixTree, segments

log = logging.getLogger("labgate")

Passed: TypeAlias = list[Any]
"""A route on its way to another process: key, content, and Unix time of its last activity."""


class RouteTable:
    """Every route, by its key and by the longest prefix of a path.

    Attributes:
        by_path: The routes by their keys.

    Args:
        tls: What holds for targets with ``https``.
        by_host: Whether the first segment of a key is a host.
        journal: Keeps them on the disk; None keeps them in memory.
    """

    def __init__(
        self, tls: UpstreamTls, *, by_host: bool = False, journal: Journal | None = None
    ) -> None:
        self._tls = tls
        self._open_route: Callable[[HubRoute], Route] | None = None
        self._by_host = by_host
        self._unread_journal = journal
        # None until it is loaded: a file that was refused must stay as it is.
        self._journal: Journal | None = None
        self.by_path: dict[str, HubRoute] = {}
        self._tree: PrefixTree[HubRoute] = PrefixTree()
        self._in_use: dict[HubRoute, Pool] = {}
        self._leaving: list[Pool] = []

    def use(self, open_route: Callable[[HubRoute], Route]) -> None:
        """Make the connections of a route with this at its first request."""
        self._open_route = open_route

    def load(self) -> int:
        """Take the routes from the disk; returns how many there are.

        Raises:
            StartError: The file cannot be used.
        """
        if self._unread_journal is None:
            return 0
        found = self._unread_journal.load()
        self._journal = self._unread_journal
        self.take([[*stored] for stored in found])
        return len(self.by_path)

    def check_new_journal(self) -> None:
        """Check that the disk has no routes yet; ``use_journal`` would write over them.

        Raises:
            StartError: It has.
        """
        if self._unread_journal is not None:
            self._unread_journal.check_is_new()

    def take(self, passed: Iterable[Passed]) -> None:
        """Take the routes of the disk or of another process, with their last activity."""
        for path, content, last_activity in passed:
            url = json.loads(content)["target"]
            try:
                check_target(url, self._tls)
            except ValueError as error:
                log.warning("a route is left out: %s: %s", path, error)
                continue
            self._set(HubRoute(path, content, last_activity, reported_at=last_activity))

    def passed(self) -> list[Passed]:
        """All routes for another process."""
        return [[route.path, route.content, route.at] for route in self.by_path.values()]

    def new_activity(self) -> dict[str, float]:
        """When those routes were last used that were since the last call."""
        found = {}
        for route in self.by_path.values():
            if route.at != route.reported_at:
                found[route.path] = route.reported_at = route.at
        return found

    def note_activity(self, used: Mapping[str, float]) -> None:
        """Routes were used in another process; the newest time of all counts."""
        for path, at in used.items():
            route = self.by_path.get(path)
            if route is not None and at > route.at:
                route.at = at

    def add(self, path: str, data: dict[str, Any], text: str | None = None) -> HubRoute:
        """Add a route, or replace the one with this key; ``written`` must follow.

        Open WebSockets to an old target live on; requests go to the new one.

        Args:
            path: Decoded.
            data: What comes back with it; ``target`` is a URL.
            text: The same as JSON in one line of ASCII; None to have it made.

        Raises:
            ValueError: The target cannot be one, with the reason.
        """
        url = data["target"]
        check_target(url, self._tls)
        path, content = clean_path(path), text or to_json(data)
        route = self.by_path.get(path)
        if route is not None and self._leads_to(route, url):
            route.content, route.at = content, time()
        else:
            if route is not None:
                self._retire(route)
            route = HubRoute(path, content, time())
            self._set(route)
        if self._journal is not None:
            self._journal.add(route.stored)
        return route

    def remove(self, path: str) -> HubRoute | None:
        """Remove a route, None if there is none with this key; ``written`` must follow."""
        route = self.by_path.pop(clean_path(path), None)
        if route is None:
            return None
        self._tree.remove(self._key(route.path))
        self._retire(route)
        if self._journal is not None:
            self._journal.remove(route.path)
        return route

    def get(self, path: str) -> HubRoute | None:
        """The route with this key."""
        return self.by_path.get(clean_path(path))

    def look_up(self, path: bytes) -> HubRoute | None:
        """The route of a decoded path, as the Hub added it."""
        return self._tree.find(path)

    def find(self, path: bytes) -> Route | None:
        """The route of a request, by its decoded path."""
        route = self._tree.find(path)
        if route is None:
            return None
        if route.used is None:
            assert self._open_route is not None, "whoever looks up has called use"
            route.used = self._open_route(route)
            self._in_use[route] = route.used.pool
        return route.used

    def target(self, route: HubRoute) -> RouteTarget:
        """Where a route leads."""
        return parse_target(route.url, self._tls)

    @property
    def pools(self) -> Iterator[Pool]:
        """The connections of all routes that are in use."""
        yield from self._in_use.values()
        yield from self._leaving

    def forget_idle(self) -> None:
        """Drop what belongs to routes that have had no connection since the last call."""
        for route in list(self._in_use):
            used = route.used
            if used is None or used.pool.connections or (used.outage and used.outage.open):
                route.was_idle = False
            elif route.was_idle:
                route.used, route.was_idle = None, False
                del self._in_use[route]
            else:
                route.was_idle = True
        self._leaving = [pool for pool in self._leaving if pool.connections]

    async def save(self) -> None:
        """Write every route's last activity to the disk, if a file was loaded.

        Raises:
            OSError: It cannot be written.
        """
        if self._journal is not None:
            await self._journal.rewrite(self._stored())

    async def compact(self) -> None:
        """Write the file anew if most of its lines count no more.

        Raises:
            OSError: It cannot be written.
        """
        if self._journal is not None and self._journal.needs_rewriting(len(self.by_path)):
            await self.save()

    async def written(self) -> None:
        """Return when the routes of before this call are on the disk, or that failed."""
        if (journal := self._journal) is not None:
            # Every other call that came at once has its route in the journal, too, after this.
            await asyncio.sleep(0)
            journal.write()

    def leave_journal(self) -> None:
        """Write nothing any more: a successor does."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def use_journal(self) -> None:
        """Write the file anew with the routes that are here, and keep it from now on.

        Raises:
            OSError: It cannot be written yet; ``save`` tries it again.
        """
        if self._unread_journal is not None:
            self._journal = self._unread_journal
            self._journal.rewrite_now(self._stored())

    def close_connections(self) -> None:
        """Close every idle connection."""
        for pool in self.pools:
            pool.close()

    def _leads_to(self, route: HubRoute, url: str) -> bool:
        return route.url == url or self.target(route) == parse_target(url, self._tls)

    def _stored(self) -> list[StoredRoute]:
        return [route.stored for route in self.by_path.values()]

    def _set(self, route: HubRoute) -> None:
        self.by_path[route.path] = route
        self._tree.set(self._key(route.path), route)

    def _retire(self, route: HubRoute) -> None:
        """Nothing goes to its target any more but what is in progress."""
        pool = self._in_use.pop(route, None)
        if pool is not None:
            pool.retire()
            self._leaving.append(pool)

    def _key(self, path: str) -> bytes:
        key = path.encode("utf-8", "surrogateescape")
        if not self._by_host:
            return key
        host, slash, rest = key.lstrip(b"/").partition(b"/")
        return host.lower() + slash + rest


def clean_path(path: str) -> str:
    """A key in the form that it is listed in: one slash before it and, but for ``/``, none behind.

    So two keys that requests cannot tell apart are one.
    """
    return "/" + path.strip("/")


def prefix_segments(path: str, *, by_host: bool) -> int:
    """How many segments of a request's path a route's key takes."""
    return max(0, len(segments(path.encode("utf-8", "surrogateescape"))) - by_host)
