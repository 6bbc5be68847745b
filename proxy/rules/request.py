"""The request head that goes up to Jupyter."""

from __future__ import annotations

from . import credentials, hop_by_hop
from .changes import Change, note
from .head import Field, RequestHead
from .origin import referer_is_public, referer_names_jupyter
from .site import Site

CLIENT_CLAIMS = frozenset({b"forwarded", b"x-real-ip", b"x-scheme"})
"""Besides every X-Forwarded-*: what a client says of its own connection is not believed.

Jupyter with ``trust_xheaders`` reads X-Scheme before X-Forwarded-Proto and X-Real-IP
before X-Forwarded-For (tornado ``_apply_xheaders``), so all of them are replaced.
"""

REQUEST_LINE = b"%b %b HTTP/1.1\r\n"
"""Of a method and a target, its end included."""

_REWRITTEN = frozenset({b"origin", b"referer"})
_CREDENTIALS = frozenset({b"authorization", b"cookie"})


def upstream_fields(
    head: RequestHead,
    site: Site,
    *,
    websocket: bool = False,
    changes: list[Change] | None = None,
) -> list[Field]:
    """The fields to send up for a request that ``decide`` let through.

    Order: Host, the client's own in their order, then what labgate says. What was
    removed, added and changed is appended to ``changes`` when a list is given.
    """
    ending = hop_by_hop.hop_by_hop_names(head.values(b"connection"))
    kept: list[Field] = []
    own = _CREDENTIALS if site.gated else frozenset()
    host = via = b""
    for field in head.fields:
        name = field[0].lower()
        if name in ending:
            note(changes, "hop-by-hop", field, None)
        elif name == b"host":
            host = field[1]
        elif name == b"via":
            via = via + b", " + field[1] if via else field[1]
        elif name in _REWRITTEN:
            kept += _rewritten(field, name, site, changes)
        elif name in own:
            kept += _without_own(field, name, changes)
        elif (rule := _dropped_by(name)) is not None:
            note(changes, rule, field, None)
        elif name == b"content-length":
            kept.append(_written_anew(field, changes))
        else:
            kept.append(field)

    said = connection_fields(head, site, host)
    hop = b"%d.%d labgate" % head.version
    said.append((b"Via", b"%b, %b" % (via, hop) if via else hop))
    if websocket:
        said += ((b"Connection", b"Upgrade"), (b"Upgrade", b"websocket"))
    elif head.values(b"transfer-encoding"):
        said.append((b"Transfer-Encoding", b"chunked"))

    new_host = host if site.preserve else site.upstream.authority.encode("ascii")
    if changes is not None:
        note(changes, "host", (b"Host", host), new_host)
        changes.extend(Change(_rule_of(name), name, None, value) for name, value in said)
    return [(b"Host", new_host), *kept, *said]


def upstream_head(
    head: RequestHead,
    site: Site,
    *,
    websocket: bool = False,
    changes: list[Change] | None = None,
) -> bytes:
    """The head as the bytes that go up, in HTTP/1.1 whatever the client spoke."""
    fields = upstream_fields(head, site, websocket=websocket, changes=changes)
    return REQUEST_LINE % (head.method, head.target) + field_lines(fields)


def field_lines(fields: list[Field]) -> bytes:
    """The field lines, with the empty line that ends a head."""
    return b"\r\n".join([*map(b": ".join, fields), b"\r\n"])


def connection_fields(head: RequestHead, site: Site, host: bytes) -> list[Field]:
    """What the connection itself shows of the client, for Jupyter's log and cookies."""
    peer = head.arrival.peer.encode("ascii", "replace")
    return [
        (b"X-Real-IP", peer),
        (b"X-Forwarded-For", peer),
        (b"X-Forwarded-Proto", b"https" if site.https else b"http"),
        (b"X-Forwarded-Host", host),
    ]


def is_client_claim(name: bytes) -> bool:
    """Whether a field (lower-case name) claims something of the client's connection.

    Also in the spelling with underscores, which applications behind Jupyter fold.
    """
    if b"_" in name:
        name = name.replace(b"_", b"-")
    return name in CLIENT_CLAIMS or name.startswith(b"x-forwarded-")


def _dropped_by(name: bytes) -> str | None:
    """The rule that a field (lower-case name) never goes up by, whatever it says."""
    if is_client_claim(name):
        return "client-claims"
    return "underscores" if hop_by_hop.is_underscore_alias(name) else None


def _without_own(field: Field, name: bytes, changes: list[Change] | None) -> list[Field]:
    """The field without what was meant for labgate's gate; none where nothing is left."""
    after: bytes | None = field[1]
    if name == b"cookie":
        after = credentials.without_session(field[1])
    elif credentials.is_basic(field[1]):
        after = None
    note(changes, "gate", field, after)
    return [] if after is None else [(field[0], after)]


def _written_anew(field: Field, changes: list[Change] | None) -> Field:
    """Content-Length without leading zeros, which some parsers read as octal."""
    length = b"%d" % int(field[1])
    note(changes, "framing", field, length)
    return (field[0], length)


def _rewritten(field: Field, name: bytes, site: Site, changes: list[Change] | None) -> list[Field]:
    """Origin and Referer as Jupyter must see them; none where one would open its check.

    The Origin passed the check already. A foreign Referer stays as it is, so that Jupyter
    refuses it, unless it names Jupyter itself: no page of ours has that address, and Jupyter
    would take it for one of its own. None is ever invented.
    """
    value = field[1]
    after: bytes | None = value
    if name == b"origin" or referer_is_public(value, site):
        after = value if site.preserve else _at_upstream(value, name, site)
    elif referer_names_jupyter(value, site):
        after = None
    note(changes, name.decode("ascii"), field, after)
    return [] if after is None else [(field[0], after)]


def _at_upstream(value: bytes, name: bytes, site: Site) -> bytes:
    upstream = str(site.upstream).encode("ascii")
    if name == b"origin":
        return upstream
    slash = value.find(b"/", value.find(b"://") + 3)
    return upstream + (value[slash:] if slash >= 0 else b"/")


def _rule_of(name: bytes) -> str:
    if name in (b"Connection", b"Upgrade", b"Transfer-Encoding"):
        return "hop-by-hop"
    return "via" if name == b"Via" else "forwarded"
