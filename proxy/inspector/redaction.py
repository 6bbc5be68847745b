"""Secrets out, before anything is shown or logged.

Whoever holds Jupyter's token or login cookie can run code, and logs get pasted into
issues: so values go, while names and lengths of nothing secret stay.
"""

from __future__ import annotations

import re

HIDDEN = b"[redacted]"

_WHOLE = frozenset({b"authorization", b"proxy-authorization", b"x-xsrftoken", b"x-csrftoken"})
_QUERY = re.compile(
    # The separators may be percent-encoded, even twice: Jupyter's login page carries the
    # address to return to, token and all, in its own query (next=%2Flab%3Ftoken%3D…).
    rb"((?:[?&#;]|%(?:25)*(?:3f|26|23|3b))(?:token|_xsrf|password|access_token)(?:=|%(?:25)*3d))"
    rb"[^&#;\s]*",
    re.IGNORECASE,
)


def redact(name: bytes, value: bytes) -> bytes:
    """A field's value without its secrets."""
    key = name.lower()
    if key in _WHOLE:
        scheme, space, _ = value.partition(b" ")
        return scheme + space + HIDDEN if space else HIDDEN
    if key == b"cookie":
        return b";".join(_hidden(pair) for pair in value.split(b";"))
    if key == b"set-cookie":
        pair, semicolon, attributes = value.partition(b";")
        return _hidden(pair) + semicolon + attributes
    return redact_target(value)


def _hidden(pair: bytes) -> bytes:
    """A cookie pair without its value; one that has no name is all value."""
    name, equals, _ = pair.partition(b"=")
    if not equals and not name.strip():
        return pair
    return name + equals + HIDDEN if equals else HIDDEN


def redact_target(target: bytes) -> bytes:
    """A request target or an address without the token in its query."""
    lowered = target.lower()
    if not (b"token" in lowered or b"_xsrf" in lowered or b"password" in lowered):
        return target
    return _QUERY.sub(rb"\1" + HIDDEN, target)


def printable(value: bytes, limit: int = 300) -> str:
    """Text that is safe in a terminal and a log line: no control bytes, bounded."""
    text = value[:limit].decode("latin-1")
    if text.isprintable() and len(value) <= limit:
        return text
    shown = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return shown + ("…" if len(value) > limit else "")
