"""Removes secrets from what is shown or logged.

Jupyter's token or login cookie allows to run code, and people paste logs into issues. So values
are replaced, while names remain.
"""

from __future__ import annotations

import re

from .secret_names import (
    SCHEMES,
    SUBPROTOCOLS,
    is_secret_field,
    is_secret_parameter,
    may_hold_secrets,
)

REDACTED = b"[redacted]"

_PARAMETER = re.compile(
    # The separators may be percent-encoded, even twice: Jupyter's login page carries the
    # address to return to, token and all, in its own query (next=%2Flab%3Ftoken%3D…).
    rb"(?:[?&#;]|%(?:25){0,8}(?:3f|26|23|3b))"
    # The outer one is not possessive: before 3.11.5 Python matches too little then (gh-106052).
    rb"((?:[^\s?&#;=%]++|%(?!(?:25){0,8}(?:3f|26|23|3b|3d)))+)"
    rb"(?:=|%(?:25){0,8}3d)",
    re.IGNORECASE,
)
_SPECIAL = re.compile(rb"[%=@]")
"""Each secret of a target is beside one of these. Most targets have none: one search is enough."""
_VALUE = re.compile(rb"[^&\s]*")
_USERINFO = re.compile(
    # RFC 3986 section 3.2.1: it ends at the last @ before a slash, question mark or fragment.
    rb"((?:^|[\s:=,<\"'])//)[^\s/?#]*@"
)
_AUTHORITY_FORM = re.compile(rb"(\A|[\s,])[^\s/?#,]*@")
"""As of CONNECT (RFC 9112 section 3.2.3), and in Host, which may be several joined."""
_ENCODED_USERINFO = re.compile(
    # The same in an encoded URL, where each octet is encoded as often as its slashes.
    rb"((?:=|%(?:25){0,8}3[ad])%(?P<level>(?:25){0,8})2f%(?P=level)2f)"
    rb"(?:(?!%(?P=level)(?:2f|3f|23))[^\s&])*(?:%(?P=level)40|@)",
    re.IGNORECASE,
)


def redact(name: bytes, value: bytes) -> bytes:
    """A field's value without its secrets."""
    key = name.lower()
    redacted = _BY_NAME.get(key)
    if redacted is not None:
        return redacted(value)
    return _redact_all(value) if is_secret_field(key) else redact_target(value)


def _redact_cookies(value: bytes) -> bytes:
    return b";".join(_without_value(pair) for pair in value.split(b";"))


def _redact_set_cookie(value: bytes) -> bytes:
    pair, semicolon, attributes = value.partition(b";")
    return _without_value(pair) + semicolon + attributes


def _redact_subprotocols(value: bytes) -> bytes:
    return b",".join(_subprotocol(name) for name in value.split(b","))


def _redact_all(value: bytes) -> bytes:
    """All but the scheme of an Authorization."""
    scheme, space, _ = value.partition(b" ")
    return scheme + space + REDACTED if space and scheme.lower() in SCHEMES else REDACTED


_BY_NAME = {
    b"cookie": _redact_cookies,
    b"set-cookie": _redact_set_cookie,
    b"sec-websocket-protocol": _redact_subprotocols,
}
"""By the field's name in lower case, what is not redacted like an address."""


def redact_target(target: bytes) -> bytes:
    """A request target or URL without the secrets in its query and its userinfo."""
    if not _SPECIAL.search(target):
        return target
    if b"%" in target or (b"=" in target and may_hold_secrets(target)):
        target = _without_secret_parameters(target)
    if b"@" in target:
        target = _AUTHORITY_FORM.sub(rb"\1" + REDACTED + b"@", target)
        target = _USERINFO.sub(rb"\1" + REDACTED + b"@", target)
    if b"%" in target:
        target = _ENCODED_USERINFO.sub(rb"\1" + REDACTED + b"@", target)
    return target


def redact_phrase(phrase: bytes) -> bytes:
    """A reason phrase (RFC 9112 section 4), which may say anything, without its secrets."""
    words = redact_target(phrase).split(b" ")
    shown = b" ".join(redact_target(b"?" + word)[1:] for word in words)
    name, colon, value = shown.partition(b":")
    if colon and is_secret_field(name.rpartition(b" ")[2].strip().lower()):
        return name + colon + b" " + REDACTED if value.strip() else shown
    return shown


def redact_octets(octets: bytes) -> bytes:
    """The first octets of an unknown connection, perhaps a request, without their secrets."""
    first, *lines = octets.split(b"\n")
    shown = [redact_target(first)]
    for line in lines:
        name, colon, value = line.partition(b":")
        shown.append(name + colon + redact(name.strip(), value.strip()) if colon else line)
    return b"\n".join(shown)


def printable(value: bytes, limit: int = 300) -> str:
    """Text that is safe in terminals and log lines: no control characters, limited length."""
    text = value[:limit].decode("latin-1")
    if not text.isprintable():
        text = "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
    return text if len(value) <= limit else text + "…"


def _without_value(pair: bytes) -> bytes:
    """A cookie pair with its value redacted; without an equals sign, all of it is the value."""
    name, equals, _ = pair.partition(b"=")
    if not equals and not name.strip():
        return pair
    return name + equals + REDACTED if equals else REDACTED


def _subprotocol(name: bytes) -> bytes:
    bare = name.strip()
    return name if not bare or bare.lower() in SUBPROTOCOLS else name.replace(bare, REDACTED)


def _without_secret_parameters(target: bytes) -> bytes:
    parts: list[bytes] = []
    done = 0
    for found in _PARAMETER.finditer(target):
        if found.start() < done or not is_secret_parameter(found[1]):
            continue
        value = _VALUE.match(target, found.end())
        assert value is not None, "it matches nothing, too"
        parts += (target[done : found.end()], REDACTED)
        done = value.end()
    return b"".join((*parts, target[done:]))
