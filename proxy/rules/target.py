"""The four forms of a request target (RFC 9112 section 3.2)."""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import unquote_to_bytes

from .authority import is_authority
from .decision import Refuse
from .head import RequestHead
from .site import Site

_DOT_SEGMENT = re.compile(rb"[/\\]\.\.?(?:[/\\;]|\Z)")
"""A backslash ends a segment on Windows, and Java's servers leave out what a semicolon begins."""


def has_dot_segment(target: bytes) -> bool:
    """Whether its decoded path has a segment ``.`` or ``..`` (RFC 3986 section 5.2.4).

    Encoded slashes end a segment, too.
    """
    return _DOT_SEGMENT.search(unquote_to_bytes(target.partition(b"?")[0])) is not None


def check_dot_segments(head: RequestHead, site: Site) -> Refuse | None:
    """Refuse dot segments where paths decide which upstream a request goes to."""
    if not (site.refuse_dot_segments and has_dot_segment(head.target)):
        return None
    hint = "routes at this host are chosen by path, and an upstream may remove dot segments"
    return Refuse(400, "target", "The path must not have the segments . and .. in it.", hint=hint)


def is_ordinary(target: bytes) -> bool:
    """Whether it is in origin-form, and its path has no special rule.

    Special are the paths that labgate answers itself, and ``/logout``.
    """
    # ``in`` costs each request more: it first makes an error, because bytes are no number.
    return (
        target[:1] == b"/"
        and target[1:2] != b"."
        and target.find(b"#") < 0
        and target.find(b"logout") < 0
    )


def origin_form(head: RequestHead) -> RequestHead | Refuse:
    """Convert the request to origin-form or asterisk-form, with its authority in Host.

    Clients send absolute-form to a configured proxy; its authority overrides Host (RFC 9112
    section 3.2.2). CONNECT is refused: it would make labgate an open relay.
    """
    target = head.target
    if head.method == b"CONNECT":
        return Refuse(405, "target", "CONNECT is not relayed here.", close=True)
    if b"#" in target:
        return Refuse(400, "target", "A request target has no fragment.")
    if target.startswith(b"/"):
        return head
    if target == b"*":
        if head.method == b"OPTIONS":
            return head
        return Refuse(400, "target", "The target * is for OPTIONS only.")
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return Refuse(400, "target", "The request target must start with a slash.")
    cut = min((at for at in (rest.find(b"/"), rest.find(b"?")) if at >= 0), default=len(rest))
    authority, path = rest[:cut], rest[cut:]
    if not authority or b"@" in authority:
        return Refuse(400, "target", "The request target's authority is not valid.")
    hosts = head.values(b"host")
    missing = not hosts and head.version >= (1, 1)  # RFC 9112 section 3.2
    if missing or len(hosts) > 1 or not all(is_authority(host) for host in hosts):
        close = len(hosts) != 1
        value = b", ".join(hosts)
        return Refuse(400, "host", "The Host field is not valid.", "Host", value, close)
    if not path.startswith(b"/"):
        # RFC 9112 section 3.2.4: without a path, OPTIONS means the server as a whole.
        path = b"*" if head.method == b"OPTIONS" and not path else b"/" + path
    others = [field for field in head.fields if field[0].lower() != b"host"]
    return replace(head, target=path, fields=((b"Host", authority), *others))
