"""Hop-by-hop fields (RFC 9110 section 7.6.1).

They are removed *before* labgate adds fields; otherwise ``Connection: X-Forwarded-For`` from a
client would remove the field that labgate adds.
Tested by tests/rules/test_request.py and tests/rules/test_response.py.
"""

from __future__ import annotations

from collections.abc import Iterable

from .head import Field, RequestHead

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
"""Always removed, whether Connection lists them or not."""

ORDINARY_OPTIONS = HOP_BY_HOP | {b"close", b""}
"""Options of Connection that require no further fields to be removed."""

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
"""Not removed even if Connection lists them: framing and Jupyter's checks depend on them.

A sender must not list end-to-end fields there (RFC 9110 section 7.6.1). Without Expect Jupyter
would not send the 100 Continue that the client waits for.
"""

_ALIASED = HOP_BY_HOP | PROTECTED | {b"max-forwards", b"via"}
_WEBSOCKET = b"sec-websocket-"


def is_underscore_alias(name: bytes) -> bool:
    """Whether a field (lower-case name) equals a checked field if "_" is read as "-".

    CGI and WSGI (RFC 3875 section 4.1.18) read it so. An application or proxy behind labgate
    could then find a second length, coding, Host or cookie that was not checked.
    """
    if b"_" not in name:
        return False
    read = name.replace(b"_", b"-")
    return read in _ALIASED or read.startswith(_WEBSOCKET)


def hop_by_hop_names(connection: Iterable[bytes]) -> frozenset[bytes]:
    """The lower-case names of all fields that must not be forwarded.

    ``connection`` are the values of the message's Connection fields.
    """
    named = {
        option.strip().lower() for value in connection for option in value.split(b",")
    } - PROTECTED
    return HOP_BY_HOP if named <= ORDINARY_OPTIONS else HOP_BY_HOP | named


def own_fields(head: RequestHead, *, websocket: bool) -> tuple[Field, ...]:
    """The hop-by-hop fields that labgate sends up itself for a request.

    Args:
        head: The request.
        websocket: Whether it is a WebSocket handshake.
    """
    if websocket:
        return (b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")
    return ((b"Transfer-Encoding", b"chunked"),) if head.framing.chunked else ()
