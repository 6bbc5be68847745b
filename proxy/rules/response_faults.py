"""Faults of a response head that llhttp accepts."""

from __future__ import annotations

import re

from .head import ResponseHead

MAX_RESPONSE_FIELDS = 1000
"""The limit of field lines; each costs far more memory than its octets."""

MAX_LENGTH_DIGITS = 18
"""Content-Length must fit into a signed 64-bit integer everywhere (RFC 9110 section 8.6)."""

_REASON = re.compile(rb"[\t -~\x80-\xff]*")


def response_fault(head: ResponseHead, version: str) -> str:
    """Describe the fault of a response head; empty for none.

    A coding other than chunked would be forwarded as if it were plain (RFC 9112 section 6.1).
    """
    if not 100 <= head.status <= 599:
        return f"the status {head.status} does not exist"
    if version not in ("1.0", "1.1"):
        return f"an answer in HTTP/{version}"
    if b"transfer-encoding" in head.names:
        codings = [coding.lower() for coding in head.values(b"transfer-encoding")]
        if version == "1.0" or codings != [b"chunked"]:
            return "a transfer coding other than chunked"
    for name, (_, value) in zip(head.names, head.fields, strict=True):
        if name == b"content-length" and len(value) > MAX_LENGTH_DIGITS:
            return "a Content-Length that is too large"
    if head.reason != b"OK" and not _REASON.fullmatch(head.reason):
        return "a control character in the reason phrase"
    if len(head.fields) > MAX_RESPONSE_FIELDS:
        return f"more than {MAX_RESPONSE_FIELDS} fields"
    return ""


def switches_to_websocket(head: ResponseHead) -> bool:
    """Whether a 101 switches to exactly the requested protocol, and has no content."""
    named, framed = [], False
    for name, value in head.fields:
        match name.lower():
            case b"upgrade":
                named.append(value.lower())
            case b"transfer-encoding":
                framed = True
            case b"content-length":
                framed = framed or value != b"0"
    return named == [b"websocket"] and not framed
