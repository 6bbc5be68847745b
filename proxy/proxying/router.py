"""Chooses the upstream of a request, with its limits, access control and cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from proxy.net.limits import (
    WEB_APP_REQUESTS,
    WEB_APP_REQUESTS_PER_ADDRESS,
    ConcurrencyLimit,
    Limits,
)
from proxy.proxying.activity import Activity
from proxy.proxying.outage import Outage
from proxy.proxying.pool import Pool
from proxy.rules.decision import Forward, Internal, Tunnel
from proxy.rules.head import RequestHead
from proxy.rules.networks import Networks
from proxy.rules.site import Site

if TYPE_CHECKING:
    from proxy.access.access_control import AccessControl
    from proxy.cache.static_cache import StaticCache


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """An upstream. A request keeps the route that it began with.

    Attributes:
        pool: The connections to it.
        site: What the rules rewrite by, in requests to it and in its responses.
        limit: How many requests it may have at once; a tunnel is not counted any more.
        access_control: Decides which clients may reach it; None allows all.
        cache: Answers static files without Jupyter; None sends every request to it.
        outage: Logs when it goes away and comes back; None for labgate's web application.
        internal: It is labgate's web application: requests go there without content, and
            ``--show-headers`` does not show what the rules change.
        outcome: What the records of complete requests say.
        adapt: Changes the request for the upstream, for example its target; None changes nothing.
        activity: Records each use; None records nothing.
        error_route: Serves the error page when the upstream gives no response; None for labgate's
            own page (``responses``).
        name: Its name where there are several; empty otherwise.
    """

    pool: Pool
    site: Site
    limit: ConcurrencyLimit
    access_control: AccessControl | None = None
    cache: StaticCache | None = None
    outage: Outage | None = None
    internal: bool = False
    outcome: str = "forwarded"
    adapt: Callable[[RequestHead], RequestHead] | None = None
    activity: Activity | None = None
    error_route: Route | None = None
    name: str = ""


class Routing(Protocol):
    """Chooses a route for each request; ``Router`` does for one Jupyter, a hub's for many.

    Attributes:
        site: What the rules decide by.
        behind_proxies: Whether it has trusted proxies, which name the client.
        name: Of the route that all requests here are for, if there are others elsewhere; empty
            if there are none, or if requests here are for many.
    """

    site: Site
    behind_proxies: bool
    name: str

    def route(self, decision: Forward | Tunnel | Internal, /) -> Route:
        """The route for what the rules decided."""


class Router:
    """Chooses a route for each request: Jupyter's, or that of labgate's web application.

    Attributes:
        site: What the rules decide by.
        behind_proxies: Whether it has trusted proxies, which name the client.
        name: As in ``Routing``.
        jupyter: The route to Jupyter.
        web_app: The route to labgate's web application, for ``rules.decision.Internal``.

    Args:
        site: The configuration.
        jupyter: The connections to Jupyter.
        web_app: The connections to labgate's web application.
        limit: How many requests may be forwarded to Jupyter at once.
        web_app_limit: The same for labgate's web application.
        name: As in ``Routing``.
    """

    def __init__(
        self,
        site: Site,
        jupyter: Pool,
        web_app: Pool,
        limit: ConcurrencyLimit,
        web_app_limit: ConcurrencyLimit,
        *,
        name: str = "",
    ) -> None:
        self.name = name
        self._outage = Outage(_jupyter_of(name))
        self.jupyter = Route(jupyter, site, limit, outage=self._outage, name=name)
        self.web_app = Route(
            web_app, site, web_app_limit, internal=True, outcome="answered here", name=name
        )
        self.use(site)

    def route(self, decision: Forward | Tunnel | Internal) -> Route:
        """The route for what the rules decided."""
        if isinstance(decision, Internal):
            return self.web_app
        return self.jupyter if decision.would_refuse is None else self._unmodified

    @property
    def routes(self) -> tuple[Route, ...]:
        """Every route."""
        return self.jupyter, self.web_app

    def use(self, site: Site) -> None:
        """From the next request on, this is the configuration."""
        self.site = site
        self.behind_proxies = bool(site.trusted_proxies)
        adapt = site.stripped.head_up if site.stripped is not None else None
        self.jupyter = replace(self.jupyter, site=site, adapt=adapt)
        self._unmodified = replace(self.jupyter, site=site.unmodified(), cache=None)
        self.web_app = replace(self.web_app, site=site.for_web_app())
        if self.jupyter.cache is not None:
            self.jupyter.cache.use(site)

    def rename(self, name: str) -> None:
        """From the next request on, this is its name; call ``use`` after it."""
        self.name = name
        self._outage.upstream = _jupyter_of(name)
        self.jupyter = replace(self.jupyter, name=name)
        self.web_app = replace(self.web_app, name=name)

    def change_limits(self, limits: Limits, trusted_proxies: Networks) -> None:
        """From the next request on, this many may be forwarded at once."""
        self.jupyter.limit.change(limits.requests, limits.requests_per_address, trusted_proxies)
        self.web_app.limit.change(WEB_APP_REQUESTS, WEB_APP_REQUESTS_PER_ADDRESS, trusted_proxies)

    def protect(self, access_control: AccessControl | None) -> None:
        """From the next request on, ``access_control`` decides who may reach Jupyter."""
        self.jupyter = replace(self.jupyter, access_control=access_control)
        self._unmodified = replace(self._unmodified, access_control=access_control)

    def keep_files(self, cache: StaticCache | None) -> None:
        """From the next request on, Jupyter's static files come from ``cache`` if it has them."""
        self.jupyter = replace(self.jupyter, cache=cache)


def _jupyter_of(name: str) -> str:
    """What the log calls the Jupyter of a route."""
    return f"the Jupyter of {name}" if name else "Jupyter"
