"""The response head that is sent to the client."""

from __future__ import annotations

from functools import lru_cache

from . import hop_by_hop, hub_heads
from .changes import Change, note
from .credentials import sets_session
from .embedding import embedded_cookie, frame_ancestors
from .head import Field, ResponseHead
from .site import Site, WebOrigin

_SPECIAL = frozenset(
    {
        b"location",
        b"set-cookie",
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"strict-transport-security",
        b"content-security-policy",
    }
)
"""Fields with a rule of their own."""

_CHANGING = hop_by_hop.HOP_BY_HOP | (_SPECIAL - {b"content-security-policy"})
"""Where none of these is there, nothing changes; but for ``Site.embed_in``."""


def downstream_fields(
    head: ResponseHead,
    site: Site,
    public: WebOrigin,
    *,
    websocket: bool = False,
    changes: list[Change] | None = None,
) -> tuple[list[Field], bool]:
    """The fields to send to the client, and whether Date is among them.

    Of the fields about framing only Content-Length is included; the client's connection adds the
    others.

    Args:
        head: Jupyter's response.
        site: The site.
        public: The public origin that the client uses.
        websocket: Whether the request was a WebSocket handshake; a 101 then gets Connection and
            Upgrade.
        changes: Every change is appended here.
    """
    if site.pass_through is not None:
        return hub_heads.fields_down(head, site, site.pass_through, public, websocket=websocket)
    no_length = head.status < 200 or head.status == 204
    names = head.names
    length = head.fields[names.index(b"content-length")] if b"content-length" in names else None
    unchanged_length = not no_length and not (length and length[1].startswith(b"0"))
    if unchanged_length and _CHANGING.isdisjoint(names) and not site.embed_in:
        sent, dated = list(head.fields), b"date" in names
    else:
        sent = _rewritten(head, site, public, changes, no_length=no_length)
        dated = any(name.lower() == b"date" for name, _ in sent)
    if site.hsts_seconds and head.status >= 200:
        added, change = _hsts(site.hsts_seconds)
        sent.append(added)
        if changes is not None:
            changes.append(change)
    if websocket and head.status == 101:
        switched: list[Field] = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
        sent += switched
        if changes is not None:
            changes.extend(Change("hop-by-hop", name, None, value) for name, value in switched)
    return sent, dated


@lru_cache(16)
def _hsts(seconds: int) -> tuple[Field, Change]:
    """The field and the change that adds it; each response has them."""
    name, value = b"Strict-Transport-Security", b"max-age=%d" % seconds
    return (name, value), Change("hsts", name, None, value)


def _rewritten(
    head: ResponseHead,
    site: Site,
    public: WebOrigin,
    changes: list[Change] | None,
    *,
    no_length: bool,
) -> list[Field]:
    hop_by_hop_fields = hop_by_hop.hop_by_hop_names(head.values(b"connection"))
    sent: list[Field] = []
    for field, name in zip(head.fields, head.names, strict=True):
        if name in hop_by_hop_fields:
            note(changes, "hop-by-hop", field, None)
        elif no_length and name == b"content-length":
            # RFC 9110 section 8.6: no Content-Length in 1xx and 204.
            note(changes, "framing", field, None)
        elif name == b"content-length":
            # Some parsers read leading zeros as octal.
            length = b"%d" % int(field[1])
            note(changes, "framing", field, length)
            sent.append((field[0], length))
        elif name not in _SPECIAL:
            sent.append(field)
        elif (rewritten := special(field, head, site, public, changes)) is not None:
            sent.append(rewritten)
    return sent


def special(
    field: Field, head: ResponseHead, site: Site, public: WebOrigin, changes: list[Change] | None
) -> Field | None:
    """A field with a rule of its own, as it is sent; None if it is removed."""
    after: bytes | None
    match field[0].lower():
        case b"location":
            rule, after = "location", location(field[1], site, public)
        case b"set-cookie" if site.requires_login and sets_session(field[1]):
            # Jupyter must not set a session of labgate's.
            rule, after = "basic-auth", None
        case b"set-cookie":
            rule, after = "set-cookie", set_cookie(field[1], site)
        case b"content-security-policy":
            rule, after = "embedding", field[1]
            if site.embed_in:
                after = frame_ancestors(after, site)
        case b"strict-transport-security":
            # Browsers use the first one (RFC 6797 section 8.1), so a configured one replaces it.
            rule, after = "hsts", None if site.hsts_seconds else field[1]
        case _:
            rule, after = "cors", None if names_upstream(head, site) else field[1]
    note(changes, rule, field, after)
    return None if after is None else (field[0], after)


def location(value: bytes, site: Site, public: WebOrigin) -> bytes:
    """Rewrite a Location that names the upstream, or a public name without TLS.

    Of the latter only scheme and host: whoever knows the public name knows the public path.

    Not changed: a path, another site, a host or port that only starts with the same characters
    (``http://127.0.0.1:88880``), and an authority with userinfo.
    """
    lowered = value.lower()
    names = [site.upstream.authority, site.upstream.spelled_out]
    of_upstream = [f"{site.upstream.scheme}://{name}" for name in names]
    of_upstream += [f"//{name}" for name in names]
    without_tls = [f"http://{origin.authority}" for origin in site.domains] if site.https else []
    for prefix in of_upstream + without_tls:
        start = prefix.encode("ascii")
        if lowered.startswith(start) and value[len(start) : len(start) + 1] in _ENDS:
            path = value[len(start) :]
            if prefix in of_upstream:
                path = public_path(path, site)
            return str(public).encode("ascii") + path
    if value.startswith(b"/") and not value.startswith(b"//"):
        return public_path(value, site)
    return value


def public_path(path: bytes, site: Site) -> bytes:
    """A path of the upstream as clients see it; another one only with a stripped prefix."""
    return path if site.stripped is None else site.stripped.path_down(path)


_ENDS = (b"", b"/", b"?", b"#")


def set_cookie(value: bytes, site: Site) -> bytes:
    """Add ``Secure`` on HTTPS and ``SameSite=Lax``, unless Jupyter set them or it is embedded.

    A Domain that names the upstream is removed: browsers would reject the cookie.
    """
    pair, *attributes = value.split(b";")
    present = {attribute.partition(b"=")[0].strip().lower() for attribute in attributes}
    if b"domain" in present:
        host = site.upstream.host.encode("ascii")
        attributes = [part for part in attributes if not _is_domain(part, host)]
    if site.stripped is not None:
        attributes = [_with_public_path(part, site) for part in attributes]
    if site.embed_in:
        return embedded_cookie(b";".join([pair, *attributes]))
    if site.https and b"secure" not in present:
        attributes.append(b" Secure")
    if b"samesite" not in present:
        attributes.append(b" SameSite=Lax")
    return b";".join([pair, *attributes])


def _with_public_path(attribute: bytes, site: Site) -> bytes:
    key, separator, path = attribute.partition(b"=")
    if key.strip().lower() != b"path":
        return attribute
    return key + separator + public_path(path.strip(), site)


def names_upstream(head: ResponseHead, site: Site) -> bool:
    """Whether Access-Control-Allow-Origin is the upstream's origin.

    Jupyter echoes Origin for requests with a token. After the rewrite this is an address that
    means nothing, or something else, to the client.
    """
    upstream = str(site.upstream).encode("ascii")
    allowed = head.values(b"access-control-allow-origin")
    return any(value.strip().lower() == upstream for value in allowed)


def _is_domain(attribute: bytes, host: bytes) -> bool:
    key, _, domain = attribute.partition(b"=")
    return key.strip().lower() == b"domain" and domain.strip().lower().lstrip(b".") == host
