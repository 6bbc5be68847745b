"""The checks that run before Host, Origin and Referer are rewritten.

Jupyter protects itself by comparing Origin with Host. A proxy that sets both to the
upstream on every request makes them equal on *every* request, an attacker's included:
any page the browser lends its cookies to can then open the terminal socket. So what
Jupyter would have compared is compared here, against the configured public origins,
and only what passed is rewritten.

The counterparts in jupyter_server: ``JupyterHandler.check_host``, ``check_origin``,
``check_referer`` and ``WebSocketMixin.check_origin``.
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes, urlsplit

from .authority import host_only, is_authority, port_only
from .credentials import tokens
from .model import Refuse, RequestHead, Site

NO_SUCH_SITE = "The name or the port in the address is not one that is served here."
"""The right name is not told: whoever scans addresses would learn it."""

LOGOUT = b"logout"
"""The path, under base_url, where Jupyter ends a login by GET (``LogoutHandler``)."""

NO_LINKS_FROM_OTHER_SITES = frozenset({b"api", b"files", b"nbconvert", LOGOUT})
"""First path segments, under base_url, that another site may not even navigate to."""


def check_host(head: RequestHead, site: Site) -> Refuse | None:
    """Host must be one public authority, in any case, default port written or not.

    Statuses: 400 for a missing or repeated Host (RFC 9112 section 3.2), 421 for a name
    that is not ours (RFC 9110 section 15.5.20): DNS rebinding arrives this way.
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
        hint = port_hint(hosts[0], site)
        return Refuse(421, "host", NO_SUCH_SITE, "Host", hosts[0], hint=hint)
    return None


def port_hint(host: bytes, site: Site) -> str:
    """What to do about a Host that differs from a public authority in the port alone.

    A browser behind a NAT, or at a container's published port, names the port that it sees.
    Empty when the names differ too.
    """
    name = host_only(host)
    public = next((one for one in site.domains if one.host.encode("ascii") == name), None)
    if public is None:
        return ""
    asked = public._replace(port=int(port_only(host) or (443 if site.https else 80)))
    if not 0 < asked.port < 65536:
        return ""
    return (
        f"{asked.spelled_out} differs from the public {public.spelled_out} in the port alone; "
        f"where a NAT or a container maps the port, start with --domain {asked.spelled_out}"
    )


def check_origin(head: RequestHead, site: Site) -> Refuse | None:
    """Origin may be absent; when it is there, it must be one of the public origins.

    ``null``, an empty value, another port, a sibling subdomain and a repeated field are
    all refused.
    """
    origins = head.values(b"origin")
    if not origins:
        return None
    if len(origins) > 1:
        sentence = "The request has more than one Origin field."
        return Refuse(403, "origin", sentence, "Origin", b", ".join(origins))
    if origins[0].lower() not in site.origins:
        sentence = "A page of another site sent this, and such requests are not let in."
        return Refuse(403, "origin", sentence, "Origin", origins[0])
    return None


def check_websocket(head: RequestHead, site: Site) -> Refuse | None:
    """A WebSocket must say where it comes from, unless it carries a token.

    Browsers send no Sec-Fetch-* on a WebSocket and do send cookies: Origin is the only
    thing that tells a foreign page from our own. No foreign page knows a token.
    """
    if head.values(b"origin") or site.websocket_without_origin or tokens(head):
        return None
    sentence = "A WebSocket needs an Origin field or a token."
    hint = "programs: send one, or set site.websocket_without_origin"
    return Refuse(403, "websocket-origin", sentence, "Origin", hint=hint)


def check_fetch_site(head: RequestHead, site: Site) -> Refuse | None:
    """Sec-Fetch-Site ``cross-site`` or ``same-site`` is refused, following a link is not.

    A link is a GET or HEAD navigation of a document, and not to the paths that give
    data or run code. Source: the Fetch Metadata Request Headers specification.
    """
    if is_same_site(head):
        return None
    if (
        head.method in (b"GET", b"HEAD")
        and head.values(b"sec-fetch-mode") == (b"navigate",)
        and head.values(b"sec-fetch-dest") == (b"document",)
        and first_segment(head.target, site.base_path) not in NO_LINKS_FROM_OTHER_SITES
    ):
        return None
    sentence = "A page of another site asked for this; open it directly instead."
    value = b", ".join(head.values(b"sec-fetch-site"))
    return Refuse(403, "fetch-site", sentence, "Sec-Fetch-Site", value)


def check_logout(head: RequestHead, site: Site) -> Refuse | None:
    """A link on another site's page logs nobody out of Jupyter, in older browsers either.

    Those send no Sec-Fetch-Site, which ``check_fetch_site`` looked at; then a public Origin
    or Referer must say where the request comes from. A token is no excuse: a link can carry
    one, a wrong one too.
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
    """Whether Jupyter would log out; tornado compares the path as it came, without decoding."""
    return LOGOUT in target and first_segment(target, site.base_path) == LOGOUT


def is_same_site(head: RequestHead) -> bool:
    """Whether no other site's page had a part in the request, as far as the browser says."""
    values = head.values(b"sec-fetch-site")
    return not values or all(value in (b"same-origin", b"none") for value in values)


def referer_is_public(value: bytes, site: Site) -> bool:
    """Whether a Referer's origin is one of the public ones."""
    scheme, separator, rest = value.partition(b"://")
    authority = rest.split(b"/", 1)[0].split(b"?", 1)[0]
    return bool(separator) and (scheme + separator + authority).lower() in site.origins


def referer_names_jupyter(value: bytes, site: Site) -> bool:
    """Whether Jupyter would take a Referer, which is not public, for one of its own pages.

    ``JupyterHandler.check_referer`` compares its netloc, as ``urlparse`` finds it, with the
    Host that goes up and does not look at the scheme: the upstream's own authority, and with
    ``preserve`` the public ones. Here every spelling of those counts: in any case, with
    userinfo, with a default port written out, with leading zeros.
    """
    try:
        parts = urlsplit(value.decode("latin-1"))
        host, port = parts.hostname, parts.port
    except ValueError:
        # Jupyter cannot read it either.
        return False
    return any(
        host == jupyter.host and (port == jupyter.port or (port is None and jupyter.default_port))
        for jupyter in (site.upstream, *(site.domains if site.preserve else ()))
    )


def first_segment(target: bytes, base_path: str) -> bytes:
    """The first path segment below ``base_path``, decoded and lower-case.

    Decoding and skipping empty segments only makes the guard wider than what Jupyter
    routes; the target itself goes up untouched.
    """
    path = unquote_to_bytes(target.partition(b"?")[0]).lower()
    base = base_path.lower().encode("utf-8", "surrogateescape")
    return next(
        (part for part in path.removeprefix(base).split(b"/") if part not in (b"", b".")), b""
    )


def is_websocket(head: RequestHead) -> bool:
    """Whether this is a WebSocket handshake (RFC 6455 section 4.1) without content.

    Any other upgrade (h2c above all) is not ours to make: its Upgrade field ends here. Nor
    is a choice of several, of which no Jupyter client makes use.
    """
    upgrade = head.values(b"upgrade")
    if not upgrade or head.method != b"GET" or head.version < (1, 1):
        return False
    content = head.values(b"transfer-encoding") or set(head.values(b"content-length")) - {b"0"}
    return (
        len(upgrade) == 1
        and upgrade[0].lower() == b"websocket"
        and any(has_option(value, b"upgrade") for value in head.values(b"connection"))
        and not content
    )


def has_option(value: bytes, option: bytes) -> bool:
    """Whether a comma-separated field value lists ``option`` (lower-case)."""
    return any(part.strip().lower() == option for part in value.split(b","))
