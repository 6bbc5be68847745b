"""The route of each request: by its path or its host, or to the page that says there is none.

Tested by tests/hub/test_contract.py and tests/hub/test_route_table.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from time import perf_counter
from urllib.parse import quote_from_bytes

from proxy.hub.hub_route import HubRoute
from proxy.hub.route_table import RouteTable, prefix_segments
from proxy.hub.targets import RouteTarget
from proxy.net.limits import ConcurrencyLimit
from proxy.proxying.outage import Outage
from proxy.proxying.pool import Pool
from proxy.proxying.router import Route
from proxy.rules.decision import Forward, Internal, Tunnel
from proxy.rules.head import RequestHead
from proxy.rules.hub_requests import HUB_HEALTH_PATH
from proxy.rules.pass_through import PassThrough
from proxy.rules.prefixes import at_target, routed_path
from proxy.rules.site import Site

_PAGE_FIELDS = frozenset(
    {b"accept", b"host", b"sec-fetch-dest", b"sec-fetch-mode", b"sec-websocket-version"}
)


class LookUps:
    """How often a route was looked up, and how long that took.

    Attributes:
        count: How often.
        seconds: How long in all.
    """

    __slots__ = ("count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0


class HubRouter:
    """Chooses a route for each request (``proxying.router.Routing``).

    Attributes:
        site: What the rules decide by.
        behind_proxies: Whether it has trusted proxies, which name the client.
        name: Empty: requests here are for many.

    Args:
        site: The configuration.
        pages: The connections to the application with the error pages and the health check.
        limit: How many requests may be forwarded at once.
        by_host: Whether the host is the first segment of the routes' keys.
        include_prefix: Whether a target gets the route's prefix.
        prepend_path: Whether a target's own path is put before the request's.
        look_ups: Counts; None counts nothing.
    """

    def __init__(
        self,
        site: Site,
        pages: Pool,
        limit: ConcurrencyLimit,
        *,
        by_host: bool = False,
        include_prefix: bool = True,
        prepend_path: bool = True,
        look_ups: LookUps | None = None,
    ) -> None:
        self.site = site
        self.behind_proxies = bool(site.trusted_proxies)
        self.name = ""
        self._limit = limit
        self._by_host = by_host
        self._include_prefix = include_prefix
        self._prepend_path = prepend_path
        self._look_ups = look_ups
        plain = replace(site, pass_through=PassThrough(), preserve=True)
        page = Route(pages, plain, limit, internal=True, outcome="answered here")
        self._health = replace(page, adapt=health_request)
        self._none = replace(page, adapt=partial(error_request, 404))
        self._down = replace(page, adapt=partial(error_request, 503))
        self._table: RouteTable | None = None

    def use(self, table: RouteTable) -> None:
        """Look the routes up in ``table``."""
        self._table = table

    def route(self, decision: Forward | Tunnel | Internal, /) -> Route:
        """The route for what the rules decided."""
        head = decision.head
        if head.target == HUB_HEALTH_PATH:
            # Also if the decision is a Forward, remembered of another target with the same fields.
            return self._health
        if self._table is None:
            return self._none
        if self._look_ups is None:
            return self._table.find(routed_path(head, by_host=self._by_host)) or self._none
        began = perf_counter()
        found = self._table.find(routed_path(head, by_host=self._by_host))
        self._look_ups.count += 1
        self._look_ups.seconds += perf_counter() - began
        return found or self._none

    def open_route(self, route: HubRoute, target: RouteTarget, pool: Pool) -> Route:
        """What the requests of a route use from now on.

        Args:
            route: As the Hub added it.
            target: Where it leads.
            pool: The connections to its target.
        """
        adapt = adaptation(
            route.path,
            target,
            by_host=self._by_host,
            include_prefix=self._include_prefix,
            prepend_path=self._prepend_path,
        )
        site, policy = self.site, self.site.pass_through
        if not site.preserve or (policy and (policy.location_host or policy.location_scheme)):
            # Otherwise all routes share one site, and what is cached for it.
            site = replace(site, upstream=target.address.origin)
        return Route(
            pool,
            site,
            self._limit,
            outage=Outage(f"the target of {route.path!r}"),
            adapt=adapt,
            activity=route,
            error_route=self._down,
            name=route.path,
        )


def adaptation(
    path: str, target: RouteTarget, *, by_host: bool, include_prefix: bool, prepend_path: bool
) -> Callable[[RequestHead], RequestHead] | None:
    """Makes of a request what the target of a route gets; None if that is the same.

    Args:
        path: The route's key.
        target: Where it leads.
        by_host: As in ``HubRouter``; so are the following.
        include_prefix: Whether the target gets the route's prefix.
        prepend_path: Whether its own path is put before the request's.
    """
    base, query = (target.path, target.query) if prepend_path else (b"", b"")
    cut = 0 if include_prefix else prefix_segments(path, by_host=by_host)
    return partial(_adapted, base or b"/", query, cut) if base or query or cut else None


def health_request(head: RequestHead) -> RequestHead:
    """The health check for the application with the pages."""
    return _page_request(head, HUB_HEALTH_PATH)


def error_request(status: int, head: RequestHead) -> RequestHead:
    """The request for the page of an error; the application gets the target as ``url``."""
    url = quote_from_bytes(head.target, safe="")
    return _page_request(head, f"/{status}?url={url}".encode("ascii"))


def _page_request(head: RequestHead, target: bytes) -> RequestHead:
    method = b"HEAD" if head.method == b"HEAD" else b"GET"
    fields = tuple(field for field in head.fields if field[0].lower() in _PAGE_FIELDS)
    return replace(head, method=method, target=target, fields=fields)


def _adapted(base: bytes, query: bytes, cut: int, head: RequestHead) -> RequestHead:
    if not head.target.startswith(b"/"):
        # OPTIONS * is about the server as a whole.
        return head
    return replace(head, target=at_target(head.target, base, query, cut))
