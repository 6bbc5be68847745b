"""What happens to a request: the whole policy of the edge, top to bottom."""

from __future__ import annotations

from dataclasses import replace

from . import client, message, origin, redirect, target
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

HEALTH = b"/.labgate/health"
READY = b"/.labgate/ready"
LOGOUT = b"/.labgate/logout"
"""Where the session ends that stands for a password of labgate's own."""

CHALLENGE = b"/.well-known/acme-challenge/"

NO_CHALLENGE = Refuse(404, "challenge", "There is no such certificate challenge here.")

_APPLICATION_FIELDS = frozenset(
    {b"accept", b"cookie", b"host", b"origin", b"sec-fetch-dest", b"sec-fetch-mode"}
)

_TOKEN_CHARACTERS = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


def decide(head: RequestHead, site: Site) -> Decision:
    """Decide on a request, as it came in: every rule, one after the other.

    labgate's own paths come before the allow-list and the Host check, because probes and
    certificate authorities call by address and from anywhere; everything Jupyter would see
    comes after every check.
    """
    refusal = message.check_message(head)
    if refusal is not None:
        return refusal
    normal = target.origin_form(head)
    if isinstance(normal, Refuse):
        return normal
    head = normal
    if head.target.startswith(b"/."):
        internal = own_path(head, site)
        if internal is not None:
            return internal
    refusal = client.check_allowed(head, site)
    if refusal is not None:
        return refusal
    if head.arrival.plain_redirects:
        return redirect.to_https(head, site)
    refusal = origin.check_host(head, site)
    if refusal is not None:
        return refusal
    elsewhere = redirect.to_canonical(head, site)
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
        return refusal
    if head.target.partition(b"?")[0] == LOGOUT:
        return logout(head, site)
    if websocket:
        return Tunnel(head)
    return forward(head)


def depends_on_target(decision: Decision, head: RequestHead) -> bool:
    """Whether another target alone, in ``target.is_ordinary`` form, could change the decision.

    Not so when the head is forwarded as it is, and another site's page did not send it: such a
    page's links may lead to some paths only.
    """
    forwarded = isinstance(decision, Forward) and decision.head is head
    return not (forwarded and origin.is_same_site(head))


def forward(head: RequestHead) -> Decision:
    """Forward, unless Max-Forwards says that this is as far as it goes."""
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
    """The page that asks, by GET; the end of the session, by a POST of that page's.

    The POST must have an Origin, which has been checked: a browser that sends none with it
    could have come from anywhere.
    """
    if not site.gated:
        sentence = "This server asks for no password of its own. Jupyter's menu has its Log Out."
        return Refuse(404, "logout", sentence)
    if head.method in (b"GET", b"HEAD"):
        return Internal(application_head(head))
    if head.method != b"POST":
        allow = (b"Allow", b"GET, HEAD, POST")
        return Refuse(405, "logout", "Use GET or POST here.", fields=(allow,))
    if not head.values(b"origin"):
        sentence = f"Send the Origin field (a program: Origin: {site.canonical})."
        return Refuse(403, "logout", sentence, "Origin")
    return Internal(application_head(head))


def application_head(head: RequestHead) -> RequestHead:
    """The request as labgate's own application gets it: what its routes read, and no more.

    Without content, which no route reads: aiohttp would decompress it for anybody who sends
    some. And without fields that its parser, stricter than labgate's, would refuse or log.
    """
    fields = tuple(field for field in head.fields if field[0].lower() in _APPLICATION_FIELDS)
    return replace(head, target=head.target.partition(b"?")[0], fields=fields)


def own_path(head: RequestHead, site: Site) -> Internal | Refuse | None:
    """The paths labgate answers itself; None when the path is not one of them."""
    path = head.target.partition(b"?")[0]
    if path in (HEALTH, READY):
        return Internal(application_head(head))
    if not path.startswith(CHALLENGE):
        return None
    token = path[len(CHALLENGE) :]
    if not site.challenges:
        return replace(NO_CHALLENGE, hint="acme.webroot is not set")
    if not token or not _TOKEN_CHARACTERS.issuperset(token):
        # RFC 8555 section 8.3: a token is base64url, so no dots and no slashes.
        return NO_CHALLENGE
    return Internal(application_head(head))
