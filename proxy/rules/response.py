"""The response head that comes back to the client."""

from __future__ import annotations

from . import hop_by_hop
from .model import Change, Field, ResponseHead, Site, WebOrigin

_SPECIAL = frozenset(
    {
        b"location",
        b"set-cookie",
        b"access-control-allow-origin",
        b"access-control-allow-credentials",
        b"date",
    }
)


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
    fields other than Content-Length are the relay's to add.
    """
    connection = [value for name, value in head.fields if name.lower() == b"connection"]
    ending = hop_by_hop.ends_here(connection)
    no_length = head.status < 200 or head.status == 204
    dated = False
    kept: list[Field] = []
    for field in head.fields:
        name = field[0].lower()
        if name in ending:
            _note(changes, "hop-by-hop", field, None)
        elif no_length and name == b"content-length":
            # RFC 9110 section 8.6: no Content-Length in 1xx and 204.
            _note(changes, "framing", field, None)
        elif name not in _SPECIAL:
            kept.append(field)
        elif name == b"date":
            dated = True
            kept.append(field)
        elif name == b"location":
            kept.append(_mended(changes, "location", field, location(field[1], site, public)))
        elif name == b"set-cookie":
            kept.append(_mended(changes, "set-cookie", field, set_cookie(field[1], site)))
        elif names_upstream(head, site):
            _note(changes, "cors", field, None)
        else:
            kept.append(field)
    if websocket and head.status == 101:
        said: list[Field] = [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]
        kept += said
        if changes is not None:
            changes.extend(Change("hop-by-hop", name, None, value) for name, value in said)
    return kept, dated


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
    return any(
        name.lower() == b"access-control-allow-origin" and value.strip().lower() == upstream
        for name, value in head.fields
    )


def _is_domain(attribute: bytes, host: bytes) -> bool:
    key, _, domain = attribute.partition(b"=")
    return key.strip().lower() == b"domain" and domain.strip().lower().lstrip(b".") == host


def _mended(changes: list[Change] | None, rule: str, field: Field, after: bytes) -> Field:
    _note(changes, rule, field, after)
    return (field[0], after)


def _note(changes: list[Change] | None, rule: str, field: Field, after: bytes | None) -> None:
    if changes is not None and field[1] != after:
        changes.append(Change(rule, field[0], field[1], after))
