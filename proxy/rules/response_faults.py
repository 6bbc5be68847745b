"""Faults of a response head that llhttp accepts."""

from __future__ import annotations

import re

from .framing import NO_CONTENT, Framing, read_framing
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
    if b"transfer-encoding" in head.names and (version == "1.0" or _framing(head).fault):
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
    named = [value.lower() for value in head.values(b"upgrade")]
    return named == [b"websocket"] and _framing(head) == NO_CONTENT


def _framing(head: ResponseHead) -> Framing:
    """How the two fields are read in a request.

    In a response they say the same, but not always anything: behind a 204, a 304 and a response to
    HEAD there is no content (RFC 9112 section 6.3).
    """
    return read_framing(head.values(b"content-length"), head.values(b"transfer-encoding"))
