"""Writes a request for the upstream as octets, always in HTTP/1.1 (RFC 9112)."""

from __future__ import annotations

from collections.abc import Iterable

from proxy.rules.head import Field, RequestHead

LAST_CHUNK = b"0\r\n\r\n"
"""It ends chunked content; trailers are not forwarded (RFC 9112 section 7.1)."""

REQUEST_LINE = b"%b %b HTTP/1.1\r\n"
"""Of a method and a target."""


def serialize_head(head: RequestHead, lines: bytes) -> bytes:
    """The head of a request with these field lines, which ``serialize_fields`` has written."""
    return REQUEST_LINE % (head.method, head.target) + lines


def serialize_fields(fields: Iterable[Field]) -> bytes:
    """The field lines, and the empty line that ends a head."""
    return b"\r\n".join([*map(b": ".join, fields), b"\r\n"])


def chunk(data: bytes) -> bytes:
    """A piece of chunked content; nothing for none, since an empty chunk would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
