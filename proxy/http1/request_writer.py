"""Writes a request for the upstream as octets, always in HTTP/1.1 (RFC 9112); reads it again."""

from __future__ import annotations

from collections.abc import Iterable

from proxy.rules.head import Arrival, Field, RequestHead

LAST_CHUNK = b"0\r\n\r\n"
"""It ends chunked content; trailers are not forwarded (RFC 9112 section 7.1)."""

REQUEST_HEAD = b"%b %b HTTP/1.1\r\n%bX-Request-Id: %b\r\n\r\n"
"""Of a method, a target, the field lines that many requests share, and the request's own id."""


def serialize_head(head: RequestHead, lines: bytes, request_id: bytes) -> bytes:
    """The head of a request with these field lines, which ``serialize_fields`` has written."""
    return REQUEST_HEAD % (head.method, head.target, lines, request_id)


def serialize_fields(fields: Iterable[Field]) -> bytes:
    """The field lines, each with its end."""
    return b"\r\n".join([*map(b": ".join, fields), b""])


def chunk(data: bytes) -> bytes:
    """A piece of chunked content; nothing for none, since an empty chunk would end it."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def read_head(octets: bytes, arrival: Arrival) -> RequestHead:
    """The head at the beginning of what went up."""
    first, *lines = octets.partition(b"\r\n\r\n")[0].split(b"\r\n")
    method, target, _ = first.split()
    fields = [(name, value) for name, _, value in (line.partition(b": ") for line in lines)]
    return RequestHead(method, target, (1, 1), tuple(fields), arrival)
