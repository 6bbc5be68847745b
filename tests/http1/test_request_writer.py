"""Requests as octets."""

from __future__ import annotations

import pytest

from proxy.http1.request_writer import (
    LAST_CHUNK,
    chunk,
    read_head,
    serialize_fields,
    serialize_head,
)
from proxy.rules.request import upstream_fields
from tests.heads import HOST, SITE, get


@pytest.mark.parametrize("websocket", [False, True])
def test_a_head_is_its_request_line_and_its_fields(websocket: bool) -> None:
    head = get(HOST, b"A: b: c", target=b"/x?y", method=b"PUT")
    fields = upstream_fields(head, SITE, websocket=websocket)
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    written = serialize_head(head, serialize_fields(fields), b"5f-1")
    assert written == b"PUT /x?y HTTP/1.1\r\n" + lines + b"X-Request-Id: 5f-1\r\n\r\n"
    read = read_head(written + b"content: \r\n\r\n", head.arrival)
    assert (read.method, read.target, read.version) == (b"PUT", b"/x?y", (1, 1))
    assert read.arrival is head.arrival
    assert read.fields == (*fields, (b"X-Request-Id", b"5f-1"))


def test_chunks() -> None:
    assert chunk(b"0123456789abcdef") == b"10\r\n0123456789abcdef\r\n"
    assert chunk(b"") == b"", "it would be the last one"
    assert LAST_CHUNK == b"0\r\n\r\n"
