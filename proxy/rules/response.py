"""The response head that comes back to the client."""

from __future__ import annotations

from . import hop_by_hop
from .changes import Change, note
from .credentials import sets_session
from .head import Field, ResponseHead
from .site import Site, WebOrigin

_SPECIAL = frozenset(
    {
        b"location",
        b"set-cookie",
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"strict-transport-security",
    }
)
"""Those with a rule of their own."""

_CHANGING = hop_by_hop.HOP_BY_HOP | _SPECIAL


def downstream_fields(
    head: ResponseHead,
    site: Site,
    public: WebOrigin,
    *,
    websocket: bool = False,
    changes: list[Change] | None = None,
) -> tuple[list[Field], bool]:
    """The fields for the client of ``public``, and whether a Date is among them.

    A response to a tunnel keeps Upgrade and Connection when it is the 101. Framing
    fields other than Content-Length are the front's to add.
    """
    no_length = head.status < 200 or head.status == 204
    sized = b"content-length" in head.names
    length = head.fields[head.names.index(b"content-length")][1] if sized else b""
    as_it_is = not (no_length or length.startswith(b"0"))
    if as_it_is and _CHANGING.isdisjoint(head.names):
        kept, dated = list(head.fields), b"date" in head.names
    else:
        kept = _kept(head, site, public, changes, no_length=no_length)
        dated = any(name.lower() == b"date" for name, _ in kept)
    if site.hsts_seconds and head.status >= 200:
        said = (b"Strict-Transport-Security", b"max-age=%d" % site.hsts_seconds)
        kept.append(said)
        if changes is not None:
            changes.append(Change("hsts", said[0], None, said[1]))
    if websocket and head.status == 101:
        switched: list[Field] = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
        kept += switched
        if changes is not None:
            changes.extend(Change("hop-by-hop", name, None, value) for name, value in switched)
    return kept, dated


def _kept(
    head: ResponseHead,
    site: Site,
    public: WebOrigin,
    changes: list[Change] | None,
    *,
    no_length: bool,
) -> list[Field]:
    ending = hop_by_hop.hop_by_hop_names(head.values(b"connection"))
    kept: list[Field] = []
    for field, name in zip(head.fields, head.names, strict=True):
        if name in ending:
            note(changes, "hop-by-hop", field, None)
        elif no_length and name == b"content-length":
            # RFC 9110 section 8.6: no Content-Length in 1xx and 204.
            note(changes, "framing", field, None)
        elif name == b"content-length":
            # Some parsers read leading zeros as octal.
            length = b"%d" % int(field[1])
            note(changes, "framing", field, length)
            kept.append((field[0], length))
        elif name not in _SPECIAL:
            kept.append(field)
        elif (mended := special(field, head, site, public, changes)) is not None:
            kept.append(mended)
    return kept


def special(
    field: Field, head: ResponseHead, site: Site, public: WebOrigin, changes: list[Change] | None
) -> Field | None:
    """A field with a rule of its own, as the client gets it; None when it does not."""
    after: bytes | None
    match field[0].lower():
        case b"location":
            rule, after = "location", location(field[1], site, public)
        case b"set-cookie" if site.gated and sets_session(field[1]):
            # Whose session a browser has is labgate's alone to say.
            rule, after = "gate", None
        case b"set-cookie":
            rule, after = "set-cookie", set_cookie(field[1], site)
        case b"strict-transport-security":
            # RFC 6797 section 8.1: the first one counts, so a configured one stands alone.
            rule, after = "hsts", None if site.hsts_seconds else field[1]
        case _:
            rule, after = "cors", None if names_upstream(head, site) else field[1]
    note(changes, rule, field, after)
    return None if after is None else (field[0], after)


def location(value: bytes, site: Site, public: WebOrigin) -> bytes:
    """A Location that names the upstream, or the public name without TLS, is mended.

    Left alone: a path, another site, a longer host or port that merely starts the same
    (``http://127.0.0.1:88880``), and an authority with userinfo.
    """
    lowered = value.lower()
    names = [site.upstream.authority, site.upstream.spelled_out]
    wrong = [f"{site.upstream.scheme}://{name}" for name in names] + [f"//{name}" for name in names]
    if site.https:
        wrong += [f"http://{origin.authority}" for origin in site.domains]
    for prefix in wrong:
        start = prefix.encode("ascii")
        if lowered.startswith(start) and value[len(start) : len(start) + 1] in _ENDS:
            return str(public).encode("ascii") + value[len(start) :]
    return value


_ENDS = (b"", b"/", b"?", b"#")


def set_cookie(value: bytes, site: Site) -> bytes:
    """``Secure`` on HTTPS and ``SameSite=Lax`` where Jupyter set neither.

    A Domain that names the upstream is dropped: the browser would refuse the cookie.
    """
    pair, *attributes = value.split(b";")
    present = {attribute.partition(b"=")[0].strip().lower() for attribute in attributes}
    if b"domain" in present:
        host = site.upstream.host.encode("ascii")
        attributes = [part for part in attributes if not _is_domain(part, host)]
    if site.https and b"secure" not in present:
        attributes.append(b" Secure")
    if b"samesite" not in present:
        attributes.append(b" SameSite=Lax")
    return b";".join([pair, *attributes])


def names_upstream(head: ResponseHead, site: Site) -> bool:
    """Whether Access-Control-Allow-Origin echoes the origin we rewrote to.

    Jupyter echoes Origin on token requests; after the rewrite that names an address
    that means nothing (or something else) to the client.
    """
    upstream = str(site.upstream).encode("ascii")
    allowed = head.values(b"access-control-allow-origin")
    return any(value.strip().lower() == upstream for value in allowed)


def _is_domain(attribute: bytes, host: bytes) -> bool:
    key, _, domain = attribute.partition(b"=")
    return key.strip().lower() == b"domain" and domain.strip().lower().lstrip(b".") == host
