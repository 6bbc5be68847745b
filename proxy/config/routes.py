"""What holds for requests to one Jupyter, the site's or that of one of ``[[routes]]``; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from proxy.config.route_settings import RouteSettings
from proxy.config.sections import UpstreamSettings
from proxy.config.settings import Settings
from proxy.config.types import Network
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.site import WebOrigin

SITE = "site"
"""The key of the site's own route, which may change its names."""
ELSEWHERE = "elsewhere"
"""The key and the name of what is at no public name."""


@dataclass(frozen=True, slots=True)
class RouteConfiguration:
    """One Jupyter, or a public name without one.

    Attributes:
        key: By which a reload knows it again.
        name: Its first public name and its path, for metrics and ``status``.
        origins: The public origins, the canonical one first.
        upstream: How to speak with Jupyter; None if there is none here.
        address: Where Jupyter is; None if that is not configured, because labgate launches it.
        path: The path at each of its public names, with a slash at both ends.
        strip_prefix: Whether the upstream gets requests without ``path``.
        htpasswd: Who may log in; None asks for no password.
        allow: The addresses of clients that are let in; empty lets in all.
        preserve: Forward Host, Origin and Referer unchanged.
        canonical_redirect: As in ``[site]``; so are the following.
        websocket_without_origin: Whether a WebSocket may have neither Origin nor token.
        embed_in: The sites that may show it in a frame.
        refuse_dot_segments: As in ``rules.site.Site``: whether routes at its hosts have paths.
    """

    key: str
    name: str
    origins: tuple[WebOrigin, ...]
    upstream: UpstreamSettings | None
    address: UpstreamAddress | None = None
    path: str = "/"
    strip_prefix: bool = False
    htpasswd: Path | None = None
    allow: tuple[Network, ...] = ()
    preserve: bool = False
    canonical_redirect: bool = False
    websocket_without_origin: bool = False
    embed_in: tuple[str, ...] = ()
    refuse_dot_segments: bool = False

    @property
    def public_address(self) -> str:
        """Where people open it: a path that the upstream has and the route has not is kept."""
        path = self.path
        if path == "/" and self.address is not None:
            path = self.address.base_path
        return f"{self.origins[0]}{path}"


def route_configurations(settings: Settings) -> list[RouteConfiguration]:
    """Every route, the site's own first.

    With ``[[routes]]`` also what responds at public names where only paths have a Jupyter, and,
    last, at names that are not public (``ELSEWHERE``).
    """
    if not settings.routes:
        return [site_route(settings)]
    found = [site_route(settings)] if settings.site_has_jupyter else []
    found += [_route(settings, route) for route in settings.routes]
    whole = {origin for one in found if one.path == "/" for origin in one.origins}
    roots = [_root(origin, found) for origin in settings.origins if origin not in whole]
    elsewhere = RouteConfiguration(
        ELSEWHERE, ELSEWHERE, settings.origins, None, allow=settings.access.allow
    )
    return [*_refusing_dot_segments(found), *roots, elsewhere]


def _refusing_dot_segments(routes: list[RouteConfiguration]) -> list[RouteConfiguration]:
    """The same; those at a host where paths have routes refuse dot segments."""
    hosts = {origin.host for one in routes if one.path != "/" for origin in one.origins}
    return [
        replace(one, refuse_dot_segments=any(origin.host in hosts for origin in one.origins))
        for one in routes
    ]


def served_routes(settings: Settings) -> list[RouteConfiguration]:
    """Those of ``[[routes]]`` alone."""
    return [_route(settings, route) for route in settings.routes]


def site_route(settings: Settings) -> RouteConfiguration:
    """``[site]`` with ``[upstream]``, or with the Jupyter that is launched."""
    site, access = settings.site, settings.access
    origins = settings.origins_of(site.domains)
    return RouteConfiguration(
        SITE,
        f"{origins[0].authority}/",
        origins,
        settings.upstream,
        htpasswd=access.htpasswd,
        allow=access.allow,
        preserve=site.rewrite == "preserve",
        canonical_redirect=site.canonical_redirect,
        websocket_without_origin=site.websocket_without_origin,
        embed_in=site.embed_in,
    )


def _route(settings: Settings, route: RouteSettings) -> RouteConfiguration:
    origins = settings.origins_of(route.domains or settings.site.domains)
    upstream = route.merged_upstream(settings.upstream)
    name = f"{origins[0].authority}{route.path}"
    return RouteConfiguration(
        name,
        name,
        origins,
        upstream,
        route.address_of(upstream),
        route.path,
        route.strip_prefix,
        route.login(settings.access.htpasswd),
        settings.access.allow if route.allow is None else route.allow,
        route.rewrite == "preserve",
        route.canonical_redirect,
        route.websocket_without_origin,
        route.embed_in,
    )


def _root(origin: WebOrigin, routes: list[RouteConfiguration]) -> RouteConfiguration:
    """A name of which only paths have a Jupyter; sessions there are those of these."""
    below = [one for one in routes if origin.host in {other.host for other in one.origins}]
    name = f"{origin.authority}/"
    return RouteConfiguration(
        name,
        name,
        (origin,),
        None,
        htpasswd=below[0].htpasswd if below else None,
        allow=below[0].allow if below else (),
    )
