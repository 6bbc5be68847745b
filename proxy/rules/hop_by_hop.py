"""Fields that end at this hop (RFC 9110 section 7.6.1).

They are stripped *before* anything is added; otherwise ``Connection: X-Forwarded-For``
from a client would delete what the proxy says of it.
"""

from __future__ import annotations

from collections.abc import Iterable

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""Removed whether Connection lists them or not."""

ORDINARY_OPTIONS = HOP_BY_HOP | {b"close", b""}
"""Options of Connection that name nothing more to remove."""

PROTECTED = frozenset(
    {
        b"authorization",
        b"content-length",
        b"content-type",
        b"cookie",
        b"expect",
        b"host",
        b"origin",
        b"referer",
        b"sec-fetch-dest",
        b"sec-fetch-mode",
        b"sec-fetch-site",
        b"set-cookie",
        b"x-csrftoken",
        b"x-xsrftoken",
    }
)
"""Stay even when Connection lists them: framing and Jupyter's checks rest on them.

A sender must not list end-to-end fields there (RFC 9110 section 7.6.1), so nothing
honest is lost. Without Expect Jupyter would never say the 100 Continue that the client
is waiting for.
"""

_ALIASED = HOP_BY_HOP | PROTECTED | {b"max-forwards", b"via"}
_WEBSOCKET = b"sec-websocket-"


def is_underscore_alias(name: bytes) -> bool:
    """Whether a field (lower-case name) is taken for another one where "_" is read as "-".

    CGI and its heirs (RFC 3875 section 4.1.18, WSGI) do that. Behind Jupyter, or as the proxy
    between, they would find a second length, coding, Host or cookie that nobody has checked.
    """
    if b"_" not in name:
        return False
    read = name.replace(b"_", b"-")
    return read in _ALIASED or read.startswith(_WEBSOCKET)


def hop_by_hop_names(connection: Iterable[bytes]) -> frozenset[bytes]:
    """Every field name, lower-case, that must not go past this hop.

    ``connection`` are the values of the message's Connection fields.
    """
    named = {
        option.strip().lower() for value in connection for option in value.split(b",")
    } - PROTECTED
    return HOP_BY_HOP if named <= ORDINARY_OPTIONS else HOP_BY_HOP | named
