"""The target to which a captured request is sent again: that of its route.

Tested by tests/hub/test_destinations.py.
"""

from __future__ import annotations

from proxy.hub.options import HubOptions
from proxy.hub.route_table import RouteTable
from proxy.hub.router import adaptation
from proxy.hub.sites import public_origin
from proxy.inspector.replay_request import Destination
from proxy.rules.authority import is_authority
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.prefixes import routed_path

NOWHERE = "no route is for this Host and target (any more)"


def hub_destination_of(
    options: HubOptions, table: RouteTable, host: str, target: str
) -> Destination:
    """The destination of a request by the routes of this moment.

    Args:
        options: What the command line says.
        table: The routes.
        host: The request's.
        target: The request's, perhaps edited.
    """
    authority = host
    if not is_authority(host.encode("ascii", "replace")):
        public = public_origin(options)
        authority = public._replace(host=public.host or "localhost").authority
    fields = ((b"Host", authority.encode("ascii")),)
    head = RequestHead(b"GET", target.encode("ascii"), (1, 1), fields, Arrival("127.0.0.1"))
    route = table.look_up(routed_path(head, by_host=options.host_routing))
    if route is None:
        return Destination(authority, None, target, launched=False, nowhere=NOWHERE)
    leads_to = table.target(route)
    adapt = adaptation(
        route.path,
        leads_to,
        by_host=options.host_routing,
        include_prefix=options.include_prefix,
        prepend_path=options.prepend_path,
    )
    up = head if adapt is None else adapt(head)
    return Destination(
        authority, leads_to.address, up.target.decode("ascii"), launched=False, route=route.path
    )
