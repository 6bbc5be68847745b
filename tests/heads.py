"""Request and response heads, short to write in a table."""

from __future__ import annotations

from proxy.rules.head import Arrival, Field, RequestHead, ResponseHead
from proxy.rules.site import Site, WebOrigin, make_site

LAB = WebOrigin("https", "lab.example.org", 443)
LOCAL = WebOrigin("https", "localhost", 8443)
JUPYTER = WebOrigin("http", "127.0.0.1", 8888)
SITE = make_site((LAB, LOCAL), JUPYTER)
HOST = b"Host: lab.example.org"


def fields(*lines: bytes) -> tuple[Field, ...]:
    """``Name: value`` lines as pairs."""
    pairs = (line.partition(b":") for line in lines)
    return tuple((name, value.strip()) for name, _, value in pairs)


def get(*lines: bytes, target: bytes = b"/", method: bytes = b"GET") -> RequestHead:
    """A request with these header lines and no others."""
    return RequestHead(method, target, (1, 1), fields(*lines), Arrival("203.0.113.7"))


def answered(*lines: bytes, status: int = 200) -> ResponseHead:
    """A response with these header lines."""
    return ResponseHead(status, b"OK", fields(*lines))


__all__ = ["HOST", "JUPYTER", "LAB", "LOCAL", "SITE", "Site", "answered", "fields", "get"]
