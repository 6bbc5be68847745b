"""Checks Host, Origin, Referer and Sec-Fetch-Site before they are rewritten.

Jupyter protects itself by comparing Origin with Host. A proxy that sets both to the upstream makes
them equal on *every* request, also on an attacker's: then any page whose requests carry the
cookies can open a terminal. So labgate makes Jupyter's comparisons here, with the configured
public origins, and rewrites only requests that pass. Tested by tests/rules/test_decide.py.

The counterparts in jupyter_server: ``JupyterHandler.check_host``, ``check_origin``,
``check_referer`` and ``WebSocketMixin.check_origin``.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urlsplit

from .authority import host_only, is_authority, port_only
from .credentials import tokens
from .decision import Refuse
from .embedding import is_frame_of_listed_site
from .head import RequestHead
from .redaction import printable
from .site import Site, WebOrigin

NO_SUCH_SITE = "The name or the port in the address is not one that is served here."
"""It does not name the right domain, which a scanner of addresses would learn."""

OTHER_CONNECTION = "This connection is for another name; open one for this name."

OTHER_SITE = "A page of another site sent this, and such requests are not let in."

LOGOUT_SEGMENT = b"logout"
"""The path below base_url where a GET logs out of Jupyter (``LogoutHandler``)."""

NO_LINKS_FROM_OTHER_SITES = frozenset({b"api", b"files", b"nbconvert", LOGOUT_SEGMENT})
"""First path segments below base_url that links of other sites must not open."""


def check_host(head: RequestHead, site: Site) -> Refuse | None:
    """Refuse a Host that is not a public authority (case-insensitive, default port optional).

    Statuses: 400 for a missing or repeated Host (RFC 9112 section 3.2), 421 for another
    name (RFC 9110 section 15.5.20), as with DNS rebinding, and for one that the connection is not
    for.
    """
    hosts = head.values(b"host")
    if len(hosts) != 1:
        if not hosts and head.version < (1, 1):
            return Refuse(421, "host", NO_SUCH_SITE, "Host")
        count = "more than one" if hosts else "no"
        sentence = f"The request has {count} Host field; exactly one is needed."
        value = b", ".join(hosts) if hosts else None
        return Refuse(400, "host", sentence, "Host", value, close=True)
    if hosts[0].lower() not in site.authorities:
        if hosts[0] and not is_authority(hosts[0]):
            sentence = "The Host field is not a host and a port."
            return Refuse(400, "host", sentence, "Host", hosts[0])
        hint = port_hint(hosts[0], site) or (unnamed_hint(hosts[0]) if site.observe else "")
        if not hint and not site.has_upstream:
            hint = f"names with a route: {', '.join(one.authority for one in site.domains)}"
        return Refuse(421, "host", NO_SUCH_SITE, "Host", hosts[0], hint=hint)
    names = head.arrival.names
    if names is not None and not names.cover(host_only(hosts[0])):
        hint = "the client used a connection that it made for another name"
        return Refuse(421, "connection-name", OTHER_CONNECTION, "Host", hosts[0], hint=hint)
    return None


def port_hint(host: bytes, site: Site) -> str:
    """What to do if Host differs from a public authority only in the port.

    Behind another proxy, a NAT or a container's published port, browsers send the port that they
    use. Empty if the names differ, too.
    """
    found = _with_other_port(host, site)
    if found is None:
        return ""
    public, requested = found
    return (
        f"{requested.spelled_out} differs from the public {public.spelled_out} in the port alone; "
        "where a NAT, a container or a proxy in front has another port, start with "
        f"--domain {requested.spelled_out}"
    )


def lost_port_hint(origin: bytes, site: Site) -> str:
    """What to do if Origin differs from a public origin only in the port, while Host is public.

    A proxy in front that leaves the browser's port out of Host does that.
    """
    scheme, _, authority = origin.partition(b"://")
    found = _with_other_port(authority, site) if is_authority(authority) else None
    if found is None or scheme.lower() != (b"https" if site.https else b"http"):
        return ""
    public, requested = found
    return (
        f"Host says {public.spelled_out}: where browsers open {requested.spelled_out}, the proxy "
        "in front takes the port away; have it pass Host on as it comes (nginx: $http_host), and "
        f"start with --domain {requested.spelled_out}"
    )


def _with_other_port(authority: bytes, site: Site) -> tuple[WebOrigin, WebOrigin] | None:
    """The public origin with this host, and the same with the port of the authority."""
    name = host_only(authority)
    public = next((one for one in site.domains if one.host.encode("ascii") == name), None)
    if public is None:
        return None
    requested = public._replace(port=int(port_only(authority) or (443 if site.https else 80)))
    return (public, requested) if 0 < requested.port < 65536 else None


def unnamed_hint(host: bytes) -> str:
    """The hint, in observe mode, for a name that labgate would refuse."""
    name = printable(host)
    return (
        f"labgate lets it in where it is named with --domain {name}, as `labgate serve` takes it; "
        "who observes may name only this machine"
    )


def rewritten_host_hint(origin: bytes) -> str:
    """The hint, in observe mode, for a page at another name than that in Host."""
    authority = origin.partition(b"://")[2]
    if not is_authority(authority):
        return ""
    name = printable(authority)
    return (
        f"where browsers open {name}, the proxy in front rewrites Host: have it pass Host on as "
        "it comes (nginx: proxy_set_header Host $http_host), and start with "
        f"--domain {name}; else a page of another site asked"
    )


def check_origin(head: RequestHead, site: Site) -> Refuse | None:
    """Refuse an Origin that is not a public origin; it may be absent.

    ``null``, an empty value, another port, a sibling subdomain and a repeated field are refused.
    """
    origins = head.values(b"origin")
    if not origins:
        return None
    if len(origins) > 1:
        sentence = "The request has more than one Origin field."
        return Refuse(403, "origin", sentence, "Origin", b", ".join(origins))
    if origins[0].lower() not in site.origins:
        hint = lost_port_hint(origins[0], site)
        sentence = OTHER_SITE
        if site.observe and not hint and (hint := rewritten_host_hint(origins[0])):
            # Only whoever observes reads it, and mostly it is their own proxy that rewrites Host.
            sentence = "The page that sent this is at another name or port than Host says."
        return Refuse(403, "origin", sentence, "Origin", origins[0], hint=hint)
    return None


def check_websocket(head: RequestHead, site: Site) -> Refuse | None:
    """Refuse a WebSocket with neither an Origin nor a token.

    With a WebSocket browsers send cookies, but no Sec-Fetch-*: only Origin distinguishes pages of
    other sites. Pages of other sites do not know a token.
    """
    if head.values(b"origin") or site.websocket_without_origin or tokens(head):
        return None
    sentence = "A WebSocket needs an Origin field or a token."
    hint = "programs: send one, or set site.websocket_without_origin"
    return Refuse(403, "websocket-origin", sentence, "Origin", hint=hint)


def check_fetch_site(head: RequestHead, site: Site) -> Refuse | None:
    """Refuse Sec-Fetch-Site ``cross-site`` or ``same-site``, except for links.

    A link is a GET or HEAD that navigates to a document, or a frame of a listed site, outside of
    the paths that return data or run code. Source: the Fetch Metadata Request Headers
    specification.
    """
    if is_same_site(head):
        return None
    if (
        head.method in (b"GET", b"HEAD")
        and head.values(b"sec-fetch-mode") == (b"navigate",)
        and (
            head.values(b"sec-fetch-dest") == (b"document",) or is_frame_of_listed_site(head, site)
        )
        and first_segment(head.target, site.base_path) not in NO_LINKS_FROM_OTHER_SITES
    ):
        return None
    sentence = "A page of another site asked for this; open it directly instead."
    value = b", ".join(head.values(b"sec-fetch-site"))
    return Refuse(403, "fetch-site", sentence, "Sec-Fetch-Site", value)


def check_logout(head: RequestHead, site: Site) -> Refuse | None:
    """Refuse logouts of Jupyter by links of other sites, also in older browsers.

    Those send no Sec-Fetch-Site (see ``check_fetch_site``); then a public Origin or Referer is
    required. A token is not sufficient: a link can carry one, even a wrong one.
    """
    if not is_logout(head.target, site) or head.values(b"sec-fetch-site"):
        return None
    referers = head.values(b"referer")
    # The Origin has been checked: one that is there is public.
    if head.values(b"origin") or (len(referers) == 1 and referer_is_public(referers[0], site)):
        return None
    sentence = f"To log out, use Log Out in the menu of {site.canonical}."
    value = b", ".join(referers) if referers else None
    return Refuse(403, "logout", sentence, "Referer", value)


def is_logout(target: bytes, site: Site) -> bool:
    """Whether Jupyter would log out; tornado compares the path without decoding it."""
    return LOGOUT_SEGMENT in target and first_segment(target, site.base_path) == LOGOUT_SEGMENT


def is_same_site(head: RequestHead) -> bool:
    """Whether Sec-Fetch-Site is absent, or says that no other site caused the request."""
    values = head.values(b"sec-fetch-site")
    return not values or all(value in (b"same-origin", b"none") for value in values)


def referer_is_public(value: bytes, site: Site) -> bool:
    """Whether the Referer's origin is a public origin."""
    scheme, separator, rest = value.partition(b"://")
    authority = rest.partition(b"/")[0].partition(b"?")[0]
    return bool(separator) and (scheme + separator + authority).lower() in site.origins


def referer_names_jupyter(value: bytes, site: Site) -> bool:
    """Whether Jupyter would accept a Referer that is not public as one of its own pages.

    ``JupyterHandler.check_referer`` compares the netloc of ``urlparse`` with the forwarded Host
    and ignores the scheme. The Host is the upstream's authority, or with ``preserve`` a public
    one. Here every spelling counts: any case, userinfo, the default port, leading zeros.
    """
    try:
        parts = urlsplit(value.decode("latin-1"))
        host, port = parts.hostname, parts.port
    except ValueError:
        # Jupyter cannot parse it either.
        return False
    return any(
        host == jupyter.host and (port == jupyter.port or (port is None and jupyter.default_port))
        for jupyter in (site.upstream, *(site.domains if site.preserve else ()))
    )


def first_segment(target: bytes, base_path: str) -> bytes:
    """The first path segment below ``base_path``, decoded and lower-case.

    With decoding and without empty segments, more paths are refused than Jupyter routes. The
    forwarded target is not changed.
    """
    path = unquote_to_bytes(target.partition(b"?")[0]).lower()
    base = base_path.lower().encode("utf-8", "surrogateescape")
    return next(
        (part for part in path.removeprefix(base).split(b"/") if part not in (b"", b".")), b""
    )


def is_websocket(head: RequestHead) -> bool:
    """Whether this is a WebSocket handshake (RFC 6455 section 4.1) without content.

    Other upgrades, as h2c, are not forwarded, and neither is a list of protocols, which no
    client of Jupyter sends.
    """
    upgrade = head.values(b"upgrade")
    if not upgrade or head.method != b"GET" or head.version < (1, 1):
        return False
    return (
        len(upgrade) == 1
        and upgrade[0].lower() == b"websocket"
        and any(has_option(value, b"upgrade") for value in head.values(b"connection"))
        and not head.framing.has_content
    )


def has_option(value: bytes, option: bytes) -> bool:
    """Whether a comma-separated field value lists ``option`` (lower-case)."""
    return any(part.strip().lower() == option for part in value.split(b","))
