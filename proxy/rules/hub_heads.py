"""The heads that pass between clients and a JupyterHub.

Everything passes unchanged except the connection's fields and those that describe the client:
X-Forwarded-* are appended to, because a balancer in front may have begun them, and the Hub decides
whom it trusts; X-Real-IP and X-Scheme are removed.
"""

from __future__ import annotations

from . import hop_by_hop
from .authority import port_only
from .head import Field, RequestHead, ResponseHead
from .pass_through import PassThrough
from .site import Site, WebOrigin

_APPENDED = (b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-proto")
_CLAIMS = frozenset({*_APPENDED, b"x-real-ip", b"x-scheme"})
"""Fields of which no client's value passes as it is, where X-Forwarded-* are appended to.

A Hub believes X-Real-IP before X-Forwarded-For and X-Scheme before X-Forwarded-Proto (tornado
``_apply_xheaders``); labgate cannot append to them, so whoever wrote them would be believed.
"""
_HOST_CLAIM = b"x-forwarded-host"
_REPLACED = frozenset({b"host", b"via", b"x-request-id"})
"""Fields that labgate always writes itself."""
_REDIRECTS = frozenset({201, 301, 302, 303, 307, 308})
_ENDS = (b"", b"/", b"?", b"#")


def fields_up(
    head: RequestHead, site: Site, policy: PassThrough, *, websocket: bool
) -> list[Field]:
    """The fields to send to the Hub or to a user's server.

    Args:
        head: The request.
        site: With ``preserve`` Host stays, otherwise it names the upstream.
        policy: What passes.
        websocket: Whether this is a WebSocket handshake.
    """
    dropped = hop_by_hop.hop_by_hop_names(head.values(b"connection"))
    replaced = {name.lower() for name, _ in policy.set_fields}
    claims = _CLAIMS if policy.forwarded else frozenset()
    sent: list[Field] = []
    for field in head.fields:
        name = field[0].lower()
        if name in _REPLACED or name in dropped or name in claims or name in replaced:
            continue
        if name == b"content-length":
            # Without leading zeros, which some parsers read as octal.
            sent.append((field[0], b"%d" % int(field[1])))
        elif b"_" not in name:
            sent.append(field)
        elif not (hop_by_hop.is_underscore_alias(name) or name.replace(b"_", b"-") in claims):
            # CGI and WSGI read "_" as "-".
            sent.append(field)
    hosts = head.values(b"host")
    host = hosts[0] if hosts else b""
    if policy.forwarded:
        sent += _forwarded_fields(head, policy, host)
    sent += policy.set_fields
    via = b", ".join((*head.values(b"via"), b"%d.%d labgate" % head.version))
    own = hop_by_hop.own_fields(head, websocket=websocket)
    named = host if site.preserve else site.upstream.authority.encode("ascii")
    return [(b"Host", named), *sent, (b"Via", via), *own]


def fields_down(
    head: ResponseHead,
    site: Site,
    policy: PassThrough,
    public: WebOrigin,
    *,
    websocket: bool,
) -> tuple[list[Field], bool]:
    """The fields to send to the client, and whether Date is among them.

    Args:
        head: The upstream's response.
        site: The upstream's origin is its ``upstream``.
        policy: What passes.
        public: Where the client sees it.
        websocket: Whether the request was a WebSocket handshake.
    """
    moves = bool(policy.location_host or policy.location_scheme) and head.status in _REDIRECTS
    names = head.names
    if not moves and head.status >= 200 and head.status != 204:
        length = head.fields[names.index(b"content-length")] if b"content-length" in names else None
        if not (length and length[1].startswith(b"0")) and hop_by_hop.HOP_BY_HOP.isdisjoint(names):
            return list(head.fields), b"date" in names
    dropped = hop_by_hop.hop_by_hop_names(head.values(b"connection"))
    if head.status < 200 or head.status == 204:
        # RFC 9110 section 8.6: no Content-Length in 1xx and 204.
        dropped = dropped | {b"content-length"}
    sent: list[Field] = []
    for field, name in zip(head.fields, names, strict=True):
        if name in dropped:
            continue
        if name == b"content-length":
            sent.append((field[0], b"%d" % int(field[1])))
        elif name == b"location" and moves:
            sent.append((field[0], moved_location(field[1], site.upstream, policy, public)))
        else:
            sent.append(field)
    if websocket and head.status == 101:
        sent += [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
    return sent, b"date" in names


def moved_location(
    value: bytes, upstream: WebOrigin, policy: PassThrough, public: WebOrigin
) -> bytes:
    """A Location that names the upstream, at the public host or with the public scheme."""
    scheme, separator, rest = value.partition(b"://")
    for name in (upstream.authority, upstream.spelled_out):
        start = name.encode("ascii")
        if separator and rest.lower().startswith(start) and rest[len(start) :][:1] in _ENDS:
            host = public.authority.encode("ascii") if policy.location_host else start
            chosen = policy.location_scheme.encode("ascii") or scheme
            return chosen + b"://" + host + rest[len(start) :]
    return value


def _forwarded_fields(head: RequestHead, policy: PassThrough, host: bytes) -> list[Field]:
    peer = head.arrival.peer.encode("ascii", "replace")
    port = port_only(host) or (b"443" if policy.tls else b"80")
    proto = b"https" if policy.tls else b"http"
    added: list[Field] = []
    own = {b"X-Forwarded-For": peer, b"X-Forwarded-Port": port, b"X-Forwarded-Proto": proto}
    for name, value in own.items():
        added.append((name, b",".join((*head.values(name.lower()), value))))
    if not head.values(_HOST_CLAIM) and host:
        added.append((b"X-Forwarded-Host", host))
    return added
