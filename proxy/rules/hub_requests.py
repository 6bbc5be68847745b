"""Decides about requests in front of a JupyterHub, which makes most checks itself."""

from __future__ import annotations

from typing import Literal

from . import client, origin
from .authority import host_only, is_authority, port_only
from .decision import Forward, Internal, Redirect, Refuse, Tunnel
from .head import RequestHead
from .pass_through import PassThrough
from .redirect import location_path
from .site import Site

HUB_HEALTH_PATH = b"/_chp_healthz"
"""Answered to anybody, before any route: probes have an address as Host, not the public name."""


def decide_passing(
    head: RequestHead, site: Site, policy: PassThrough
) -> Forward | Tunnel | Internal | Redirect | Refuse:
    """Decide on a well-formed request in origin-form.

    Every path but ``HUB_HEALTH_PATH`` belongs to the Hub and its users.
    """
    refusal = client.check_allowed(head, site) or check_host_syntax(head)
    if refusal is not None:
        return refusal
    if head.arrival.plain_redirects:
        return to_https_at_same_host(head, site)
    if head.target == HUB_HEALTH_PATH:
        # Not Forward: that would be remembered for other targets with the same fields.
        return Internal(head)
    websocket = origin.is_websocket(head)
    if policy.check_origins:
        refusal = check_public(head, site, policy)
        if refusal is None and websocket:
            refusal = origin.check_websocket(head, site)
        if refusal is not None:
            return refusal
    return Tunnel(head) if websocket else Forward(head)


def check_host_syntax(head: RequestHead) -> Refuse | None:
    """Refuse a Host that is missing, repeated or malformed (RFC 9112 section 3.2)."""
    hosts = head.values(b"host")
    if len(hosts) == 1 and (not hosts[0] or is_authority(hosts[0])):
        return None
    if not hosts and head.version < (1, 1):
        return None
    sentence = "Exactly one Host field is needed, with a host and perhaps a port."
    value = b", ".join(hosts) if hosts else None
    return Refuse(400, "host", sentence, "Host", value, close=True)


def to_https_at_same_host(head: RequestHead, site: Site) -> Redirect | Refuse:
    """The redirect from plain HTTP to HTTPS at the same host, on the site's port."""
    authority = _host(head)
    if not authority:
        sentence = "Without a Host field there is nowhere to redirect to."
        return Refuse(400, "host", sentence, "Host", authority)
    host = authority.removesuffix(b":" + port_only(authority)).decode("ascii")
    port = site.canonical.port
    suffix = "" if port == 443 else f":{port}"
    status: Literal[301, 308] = 301 if head.method in (b"GET", b"HEAD") else 308
    return Redirect(status, f"https://{host}{suffix}{location_path(head.target)}")


def check_public(head: RequestHead, site: Site, policy: PassThrough) -> Refuse | None:
    """Refuse what another site, or another user's subdomain, causes.

    The Host must be the public one or, with subdomains, below it. An Origin must be that of the
    Host itself or the Hub's; links may come from anywhere (``origin.check_fetch_site``).
    """
    sent = _host(head)
    if sent is None or not is_public_host(sent.lower(), site, policy):
        return Refuse(421, "host", origin.NO_SUCH_SITE, "Host", sent)
    host = sent.lower()
    scheme = site.canonical.scheme.encode("ascii")
    origins = head.values(b"origin")
    allowed = {*site.origins, scheme + b"://" + host, scheme + b"://" + _bare(host, site)}
    if len(origins) > 1 or any(value.lower() not in allowed for value in origins):
        return Refuse(403, "origin", origin.OTHER_SITE, "Origin", b", ".join(origins))
    if origins and origins[0].lower() in site.origins:
        # The Hub's own page, for the server of a user at a subdomain.
        return None
    return origin.check_fetch_site(head, site)


def is_public_host(host: bytes, site: Site, policy: PassThrough) -> bool:
    """Whether a Host (lower-case) is the public name or, with subdomains, below it."""
    if host in site.authorities:
        return True
    public = site.canonical
    below = host_only(host).endswith(b"." + public.host.encode("ascii"))
    return policy.subdomains and below and int(port_only(host) or _port(site)) == public.port


def _host(head: RequestHead) -> bytes | None:
    """The Host, of which there is at most one; None without one."""
    return next(iter(head.values(b"host")), None)


def _bare(host: bytes, site: Site) -> bytes:
    """The Host without the port that its scheme implies."""
    return host.removesuffix(b":%d" % _port(site))


def _port(site: Site) -> int:
    return 443 if site.https else 80
