"""Short responses of labgate's own, as values: no bytes of HTTP, and no connection.

Tested by tests/proxying/test_errors.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from proxy.rules.head import Field
from proxy.runtime.http_date import http_date

TEXT = b"text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response.

    Attributes:
        status: Its status code; the reason phrase is the registered one.
        fields: Every field but those of the connection; Date and Content-Length included.
        content: Left out where the request was a HEAD.
        close: Whether the client's connection must end with it.
    """

    status: int
    fields: tuple[Field, ...]
    content: bytes
    close: bool = False


def response(
    status: int,
    content: bytes,
    content_type: bytes,
    fields: tuple[Field, ...] = (),
    *,
    close: bool = False,
) -> Response:
    """A response with the fields that every one of labgate's own has, and with ``fields``."""
    common = (
        (b"Date", http_date()),
        (b"Content-Type", content_type),
        (b"Content-Length", b"%d" % len(content)),
        (b"Cache-Control", b"no-store"),
        (b"X-Content-Type-Options", b"nosniff"),
    )
    return Response(status, common + fields, content, close)


def plain(
    status: int, sentence: str, fields: tuple[Field, ...] = (), *, close: bool = False
) -> Response:
    """One sentence as text."""
    return response(status, sentence.encode("utf-8") + b"\n", TEXT, fields, close=close)
