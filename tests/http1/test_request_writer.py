"""Requests as octets; ``test_client_connection_in_memory`` has a whole one."""

from __future__ import annotations

import pytest

from proxy.http1.request_writer import LAST_CHUNK, REQUEST_HEAD, chunk, serialize_fields
from proxy.rules.request import upstream_fields
from tests.heads import HOST, SITE, get


@pytest.mark.parametrize("websocket", [False, True])
def test_a_head_is_its_request_line_and_its_fields(websocket: bool) -> None:
    head = get(HOST, b"A: b: c", b"Empty:")
    fields = upstream_fields(head, SITE, websocket=websocket)
    lines = b"".join(b"%b: %b\r\n" % field for field in fields)
    assert b"\r\nA: b: c\r\nEmpty: \r\n" in lines
    assert serialize_fields(fields) == lines
    written = REQUEST_HEAD % (b"PUT", b"/x?y", lines, b"5f-1")
    assert written == b"PUT /x?y HTTP/1.1\r\n" + lines + b"X-Request-Id: 5f-1\r\n\r\n"


def test_chunks() -> None:
    assert chunk(b"0123456789abcdef") == b"10\r\n0123456789abcdef\r\n"
    assert chunk(b"") == b"", "it would be the last one"
    assert LAST_CHUNK == b"0\r\n\r\n"
