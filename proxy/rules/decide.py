"""Decides what happens to a request: every rule, in order."""

from __future__ import annotations

from dataclasses import replace

from . import client, hub_requests, message, origin, redirect, target
from .decision import (
    Decision,
    Forward,
    Internal,
    Refuse,
    Respond,
    Tunnel,
)
from .head import RequestHead
from .site import Site

HEALTH_PATH = b"/.labgate/health"
READY_PATH = b"/.labgate/ready"
LOGOUT_PATH = b"/.labgate/logout"
"""Ends a session of labgate's own login."""

CHALLENGE_PREFIX = b"/.well-known/acme-challenge/"

NO_CHALLENGE = Refuse(404, "challenge", "There is no such certificate challenge here.")

NO_ROUTE = Refuse(
    404, "route", "There is nothing at this address.", hint="no path in [[routes]] begins like it"
)

_APPLICATION_FIELDS = frozenset(
    {b"accept", b"cookie", b"host", b"origin", b"sec-fetch-dest", b"sec-fetch-mode"}
)

_TOKEN_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def decide(head: RequestHead, site: Site) -> Decision:
    """Decide on a request as it was received.

    In front of a JupyterHub, which makes most of these checks itself, ``hub_requests`` decides.
    Otherwise labgate's own paths, but for the logout, come before the allow-list and the Host
    check: health probes and certificate authorities use IP addresses as Host, and come from any
    address. Jupyter gets only requests that pass every check, unless labgate only observes.
    """
    refusal = message.check_message(head)
    if refusal is not None:
        return refusal
    normal = target.origin_form(head)
    if isinstance(normal, Refuse):
        return normal
    head = normal
    if site.pass_through is not None:
        passed = hub_requests.decide_passing(head, site, site.pass_through)
        return forward(passed.head) if isinstance(passed, Forward) else passed
    if head.target.startswith(b"/."):
        internal = own_path(head, site)
        if internal is not None:
            return internal
    refusal = client.check_allowed(head, site)
    if refusal is not None:
        return refusal
    if head.arrival.plain_redirects:
        return redirect.to_https(head, site)
    refusal = origin.check_host(head, site) or target.check_dot_segments(head, site)
    if refusal is not None:
        return observed(refusal, head) if site.observe else refusal
    elsewhere = redirect.to_canonical(head, site) or redirect.to_folder(head, site)
    if elsewhere is not None:
        return elsewhere
    websocket = origin.is_websocket(head)
    refusal = (
        origin.check_origin(head, site)
        or origin.check_fetch_site(head, site)
        or origin.check_logout(head, site)
        or (origin.check_websocket(head, site) if websocket else None)
    )
    if refusal is not None:
        return observed(refusal, head) if site.observe else refusal
    if head.target.partition(b"?")[0] == LOGOUT_PATH:
        return logout(head, site)
    if not site.has_upstream:
        return NO_ROUTE
    return Tunnel(head) if websocket else forward(head)


def depends_on_target(decision: Decision, head: RequestHead) -> bool:
    """Whether the decision could differ for another target that ``target.is_ordinary``.

    It could not if the head is forwarded unchanged and no page of another site sent it: links of
    other sites may open only some paths.
    """
    forwarded = (
        isinstance(decision, Forward) and decision.head is head and decision.would_refuse is None
    )
    return not (forwarded and origin.is_same_site(head))


def observed(refusal: Refuse, head: RequestHead) -> Decision:
    """Let a request through that is well-formed and would be refused, to see what Jupyter says.

    Jupyter makes the same comparisons of Host, Origin and Referer, and these are not rewritten:
    what it refuses without labgate it refuses here.
    """
    if refusal.status == 400:
        return refusal
    if origin.is_websocket(head):
        return Tunnel(head, refusal)
    decision = forward(head)
    return replace(decision, would_refuse=refusal) if isinstance(decision, Forward) else decision


def forward(head: RequestHead) -> Decision:
    """Forward, unless Max-Forwards of TRACE or OPTIONS is 0 (RFC 9110 section 7.6.2)."""
    hops = message.check_hops(head)
    if hops is None:
        return Forward(head)
    if isinstance(hops, Refuse):
        return hops
    if hops < 0:
        if head.method == b"TRACE":
            return Refuse(405, "max-forwards", "TRACE is not answered here.")
        return Respond(200, "This is as far as Max-Forwards lets it go.")
    fields = tuple(
        (name, b"%d" % hops if name.lower() == b"max-forwards" else value)
        for name, value in head.fields
    )
    return Forward(replace(head, fields=fields))


def logout(head: RequestHead, site: Site) -> Internal | Refuse:
    """GET shows a page with a button; the POST of that page ends the session.

    The POST must have an Origin, which has been checked: without it any site's page could have
    sent it.
    """
    if not site.requires_login:
        sentence = "This server asks for no password of its own. Jupyter's menu has its Log Out."
        return Refuse(404, "logout", sentence)
    if head.method in (b"GET", b"HEAD"):
        return Internal(web_app_head(head))
    if head.method != b"POST":
        allow = (b"Allow", b"GET, HEAD, POST")
        return Refuse(405, "logout", "Use GET or POST here.", fields=(allow,))
    if not head.values(b"origin"):
        sentence = f"Send the Origin field (a program: Origin: {site.canonical})."
        return Refuse(403, "logout", sentence, "Origin")
    return Internal(web_app_head(head))


def web_app_head(head: RequestHead) -> RequestHead:
    """The request for labgate's web application: only what its routes read.

    No route reads content, and aiohttp would decompress it, so it is left out. So are fields that
    aiohttp's parser, which is stricter, would refuse or log.
    """
    fields = tuple(field for field in head.fields if field[0].lower() in _APPLICATION_FIELDS)
    return replace(head, target=head.target.partition(b"?")[0], fields=fields)


def is_own_path(target: bytes) -> bool:
    """Whether the request target is one of ``own_path``'s, or is refused there."""
    path = target.partition(b"?")[0]
    return path in (HEALTH_PATH, READY_PATH) or path.startswith(CHALLENGE_PREFIX)


def own_path(head: RequestHead, site: Site) -> Internal | Refuse | None:
    """The decision on a path that labgate answers itself; None for other paths."""
    path = head.target.partition(b"?")[0]
    if path in (HEALTH_PATH, READY_PATH):
        return Internal(web_app_head(head))
    if not path.startswith(CHALLENGE_PREFIX):
        return None
    token = path[len(CHALLENGE_PREFIX) :]
    if not site.challenges:
        return replace(NO_CHALLENGE, hint="acme.webroot is not set")
    if not token or not _TOKEN_CHARACTERS.issuperset(token):
        # RFC 8555 section 8.3: a token is base64url, so no dots and no slashes.
        return NO_CHALLENGE
    return Internal(web_app_head(head))
