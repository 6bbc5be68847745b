"""The Jupyter to which a captured request is sent again: that of its name and path.

Tested by tests/routes/test_destinations.py.
"""

from __future__ import annotations

from proxy.builders import UNKNOWN_UPSTREAM, build_site
from proxy.config.routes import SITE, RouteConfiguration, route_configurations
from proxy.config.settings import Settings
from proxy.inspector.replay_request import Destination
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.route_choice import RouteChoice

NOWHERE = "there is no Jupyter at this name and path"


def destination_of(
    settings: Settings, site_address: UpstreamAddress | None, host: str, target: str
) -> Destination:
    """The destination of a request.

    Args:
        settings: The configuration.
        site_address: Where the site's own Jupyter is now; None if that is not known.
        host: The request's.
        target: The request's, perhaps edited.
    """
    authority = settings.origins[0].authority
    routes = route_configurations(settings)
    choice: RouteChoice[RouteConfiguration] = RouteChoice(routes[-1])
    sites = {
        route.key: build_site(settings, route, route.address or UNKNOWN_UPSTREAM)
        for route in routes
    }
    for route in routes[:-1]:
        choice.add(sites[route.key], route.path, route)
    fields = ((b"Host", host.encode("ascii", "replace")),)
    head = RequestHead(b"GET", target.encode("ascii"), (1, 1), fields, Arrival("127.0.0.1"))
    found = choice.find(head)
    name = found.name if settings.routes else ""
    if found.key == SITE:
        return Destination(authority, site_address, target, route=name)
    if found.upstream is None:
        return Destination(authority, None, target, launched=False, route=name, nowhere=NOWHERE)
    stripped = sites[found.key].stripped
    up = head if stripped is None else stripped.head_up(head)
    public, target = found.origins[0].authority, up.target.decode("ascii")
    return Destination(public, found.address, target, launched=False, route=name)
