"""The request head that is forwarded to Jupyter."""

from __future__ import annotations

from functools import lru_cache

from . import credentials, hop_by_hop, hub_heads, ranges
from .changes import Change, note
from .head import Field, RequestHead
from .origin import referer_is_public, referer_names_jupyter
from .site import Site

CLIENT_CLAIMS = frozenset({b"forwarded", b"x-real-ip", b"x-scheme", b"x-request-id"})
"""With every X-Forwarded-*, the fields that only a trusted proxy may set.

They are removed, because a client could write anything. Jupyter with ``trust_xheaders`` prefers
X-Scheme to X-Forwarded-Proto and X-Real-IP to X-Forwarded-For (tornado ``_apply_xheaders``).
"""

_MAX_CACHED_NAME_BYTES = 64
_MAX_CACHED_VALUE_BYTES = 512
_REWRITTEN = frozenset({b"origin", b"referer"})
_CREDENTIALS = frozenset({b"authorization", b"cookie"})
_WITH_RULES = frozenset(
    {b"host", b"via", b"content-length"}
    | _REWRITTEN
    | _CREDENTIALS
    | CLIENT_CLAIMS
    | ranges.RANGE_FIELDS
    | hop_by_hop.HOP_BY_HOP
)


def upstream_fields(
    head: RequestHead,
    site: Site,
    *,
    websocket: bool = False,
    changes: list[Change] | None = None,
) -> list[Field]:
    """The fields to forward for a request that ``decide`` allowed.

    First Host, then the client's fields in their order, then the fields that labgate adds.

    Args:
        head: The request.
        site: The site.
        websocket: Whether this is a WebSocket handshake.
        changes: Every change is appended here.
    """
    if site.pass_through is not None:
        return hub_heads.fields_up(head, site, site.pass_through, websocket=websocket)
    hop_by_hop_fields = hop_by_hop.hop_by_hop_names(head.values(b"connection"))
    forwarded: list[Field] = []
    only_known = hop_by_hop_fields is hop_by_hop.HOP_BY_HOP
    own = _CREDENTIALS if site.requires_login else frozenset()
    host = via = b""
    for field in head.fields:
        if only_known and _has_no_rule(field[0]):
            # Most fields: the checks below would find no rule for them.
            forwarded.append(field)
            continue
        name = field[0].lower()
        if name in hop_by_hop_fields:
            note(changes, "hop-by-hop", field, None)
        elif name == b"host":
            host = field[1]
        elif name == b"via":
            note(changes, "via", field, None)
            via = via + b", " + field[1] if via else field[1]
        elif name in _REWRITTEN:
            forwarded += _rewritten(field, name, site, changes)
        elif name in own:
            forwarded += _without_own(field, name, changes)
        elif (rule := _dropped_by(name, head, site)) is not None:
            note(changes, rule, field, None)
        elif name == b"content-length":
            forwarded.append(_normalized_length(field, changes))
        else:
            forwarded.append(field)

    added, noted = _added(head, site, host, via)
    own_fields = hop_by_hop.own_fields(head, websocket=websocket)
    new_host = host if site.preserve else site.upstream.authority.encode("ascii")
    if changes is not None:
        note(changes, "host", (b"Host", host), new_host)
        changes += noted
        changes += [Change("hop-by-hop", name, None, value) for name, value in own_fields]
    return [(b"Host", new_host), *forwarded, *added, *own_fields]


def _has_no_rule(name: bytes) -> bool:
    """Whether fields of this name are never changed unless Connection lists them.

    False also for a long name, which is not worth keeping: clients choose names.
    """
    return len(name) <= _MAX_CACHED_NAME_BYTES and not _may_have_rule(name)


@lru_cache(1024)
def _may_have_rule(name: bytes) -> bool:
    name = name.lower()
    return name in _WITH_RULES or b"_" in name or name.startswith(b"x-forwarded-")


def _added(
    head: RequestHead, site: Site, host: bytes, via: bytes
) -> tuple[tuple[Field, ...], tuple[Change, ...]]:
    """The fields that labgate adds, and the same as changes."""
    # Clients choose both values, and thousands of 64 KiB are not worth keeping.
    is_short = len(host) + len(via) <= _MAX_CACHED_VALUE_BYTES
    of_client = _of_client if is_short else _of_client.__wrapped__
    added, noted = of_client(head.arrival.peer, site.https, host, head.version, via)
    if site.stripped is None:
        return added, noted
    name, value = b"X-Forwarded-Prefix", site.stripped.forwarded
    return (*added, (name, value)), (*noted, Change("forwarded", name, None, value))


@lru_cache(1024)
def _of_client(
    peer: str, https: bool, host: bytes, version: tuple[int, int], via: bytes
) -> tuple[tuple[Field, ...], tuple[Change, ...]]:
    """The fields that describe the client's connection, for Jupyter's log and cookies; and Via.

    Also as changes. All requests of a client have the same.
    """
    address = peer.encode("ascii", "replace")
    hop = b"%d.%d labgate" % version
    fields = (
        (b"X-Real-IP", address),
        (b"X-Forwarded-For", address),
        (b"X-Forwarded-Proto", b"https" if https else b"http"),
        (b"X-Forwarded-Host", host),
        (b"Via", b"%b, %b" % (via, hop) if via else hop),
    )
    changes = [
        Change("via" if name == b"Via" else "forwarded", name, None, value)
        for name, value in fields
    ]
    return fields, tuple(changes)


def is_client_claim(name: bytes) -> bool:
    """Whether a field (lower-case name) describes the client's connection.

    Also with "_" instead of "-": applications behind Jupyter may read both as the same name.
    """
    if b"_" in name:
        name = name.replace(b"_", b"-")
    return name in CLIENT_CLAIMS or name.startswith(b"x-forwarded-")


def fields_depend_on_target(head: RequestHead) -> bool:
    """Whether a request with the same fields for another target may have other ones forwarded."""
    return b"if-range" in head.section.index


def _dropped_by(name: bytes, head: RequestHead, site: Site) -> str | None:
    """The rule that removes a field (lower-case name); None for no rule."""
    if is_client_claim(name):
        return "client-claims"
    if name in ranges.RANGE_FIELDS and not ranges.may_be_continued(head, site.compressible):
        return "if-range"
    return "underscores" if hop_by_hop.is_underscore_alias(name) else None


def _without_own(field: Field, name: bytes, changes: list[Change] | None) -> list[Field]:
    """The field without labgate's own credentials; empty if nothing is left."""
    after: bytes | None = field[1]
    if name == b"cookie":
        after = credentials.without_session(field[1])
    elif credentials.is_basic(field[1]):
        after = None
    note(changes, "basic-auth", field, after)
    return [] if after is None else [(field[0], after)]


def _normalized_length(field: Field, changes: list[Change] | None) -> Field:
    """Content-Length without leading zeros, which some parsers read as octal."""
    length = b"%d" % int(field[1])
    note(changes, "framing", field, length)
    return (field[0], length)


def _rewritten(field: Field, name: bytes, site: Site, changes: list[Change] | None) -> list[Field]:
    """Rewrite a public Origin or Referer to the upstream's origin; empty if it is removed.

    The Origin has been checked. A Referer of another site is forwarded unchanged, so that Jupyter
    refuses it. But one that names Jupyter itself is removed: Jupyter would accept it, although
    no public page has that address.
    """
    value = field[1]
    after: bytes | None = value
    if referer_is_public(value, site):
        after = value if site.preserve else _at_upstream(value, name, site)
    elif referer_names_jupyter(value, site):
        after = None
    note(changes, name.decode("ascii"), field, after)
    return [] if after is None else [(field[0], after)]


def _at_upstream(value: bytes, name: bytes, site: Site) -> bytes:
    upstream = str(site.upstream).encode("ascii")
    if name == b"origin":
        return upstream
    path = value.partition(b"://")[2].partition(b"/")[2]
    return upstream + b"/" + path
