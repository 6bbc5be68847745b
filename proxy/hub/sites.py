"""What the rules and the limits are in front of a Hub.

Tested by tests/hub/test_hub_proxy.py.
"""

from __future__ import annotations

from dataclasses import replace

from proxy.hub.options import HubOptions
from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.rules.pass_through import PassThrough
from proxy.rules.site import Site, WebOrigin, make_site
from proxy.runtime.descriptors import raise_descriptor_limit

CONNECTIONS = 100_000
"""As far as there are descriptors: nobody but the administrator knows how many users there are."""
OTHER_DESCRIPTORS = 256


def public_origin(options: HubOptions) -> WebOrigin:
    """Where clients come; without a host if nobody has said which."""
    scheme = "https" if options.tls is not None else "http"
    port = options.redirect_to or options.public.port or (443 if scheme == "https" else 80)
    return options.public_origin or WebOrigin("https" if scheme == "https" else "http", "", port)


def hub_site(options: HubOptions) -> Site:
    """What the rules decide by: nothing is checked unless the public origin is known."""
    public = public_origin(options)
    policy = PassThrough(
        check_origins=options.public_origin is not None,
        subdomains=options.host_routing,
        tls=options.tls is not None,
        forwarded=options.x_forward,
        set_fields=options.custom_headers,
        location_host=options.auto_rewrite,
        location_scheme=options.protocol_rewrite,
    )
    upstream = WebOrigin("http", "localhost", 80)
    site = make_site((public,), upstream, preserve=not options.change_origin, pass_through=policy)
    if options.public_origin is None or options.redirect_to is None:
        return site
    return replace(site, domains=(public._replace(port=options.redirect_to),))


def hub_limits(options: HubOptions) -> Limits:
    """The limits towards clients: none for one address, which may be a balancer's for all."""
    connections = raise_descriptor_limit(CONNECTIONS, OTHER_DESCRIPTORS)
    return replace(
        DEFAULT_LIMITS,
        connections=connections,
        connections_per_address=connections,
        requests=connections,
        requests_per_address=connections,
        keep_alive_seconds=options.keep_alive_timeout_ms / 1000,
    )
