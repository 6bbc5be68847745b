"""Writes a request for the upstream as octets, always in HTTP/1.1 (RFC 9112)."""

from __future__ import annotations

from collections.abc import Iterable

from proxy.rules.head import Field

LAST_CHUNK = b"0\r\n\r\n"
"""Ends chunked content; trailers are not forwarded (RFC 9112 section 7.1)."""

REQUEST_HEAD = b"%b %b HTTP/1.1\r\n%bX-Request-Id: %b\r\n\r\n"
"""Of a method, a target, the field lines that many requests share, and the request's own id."""


def serialize_fields(fields: Iterable[Field]) -> bytes:
    """The field lines, each with its end."""
    return b"\r\n".join([*map(b": ".join, fields), b""])


def chunk(data: bytes) -> bytes:
    """A piece of chunked content; nothing for none, since an empty chunk would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
