"""A head's octets: request line, line ends, limits, and how its content is framed."""

from __future__ import annotations

import pytest

from proxy.rules.model import Refuse
from proxy.rules.syntax import (
    NO_CONTENT,
    Framing,
    check_head,
    check_lines,
    check_request_line,
    stand_in,
)

LINES = [
    (b"GET / HTTP/1.1", 0),
    (b"GET / HTTP/1.0", 0),
    (b"GET / HTTP/1.9", 0),
    (b"M-SEARCH * HTTP/1.1", 0),
    (b'GET /?"<> HTTP/1.1', 0),
    (b"GET /\xc3\xa9 HTTP/1.1", 400),
    (b"GET / HTTP/2.0", 505),
    (b"PRI * HTTP/2.0", 505),
    (b"PRI * HTTP/1.1", 501),
    (b"GET / HTTP/0.9", 505),
    (b"GET /", 400),
    (b"GET  / HTTP/1.1", 400),
    (b"GET /  HTTP/1.1", 400),
    (b" GET / HTTP/1.1", 400),
    (b"GET / HTTP/1.1 ", 400),
    (b"GET\t/ HTTP/1.1", 400),
    (b"GET /a b HTTP/1.1", 400),
    (b"GET /\x00 HTTP/1.1", 400),
    (b"GET /\x7f HTTP/1.1", 400),
    (b"GET / http/1.1", 400),
    (b"GET / HTTP/1.10", 400),
    (b"GET / HTTP/11", 400),
    (b"G@T / HTTP/1.1", 400),
    (b" / HTTP/1.1", 400),
    (b"GET  HTTP/1.1", 400),
    (b"", 400),
]


@pytest.mark.parametrize(("line", "status"), LINES)
def test_request_line(line: bytes, status: int) -> None:
    refusal = check_request_line(line)
    assert (refusal.status if refusal else 0) == status
    assert refusal is None or refusal.close


FRAMINGS: list[tuple[bytes, Framing | int]] = [
    (b"", NO_CONTENT),
    (b"Content-Length: 0\r\n", NO_CONTENT),
    (b"content-length:\t12 \r\n", Framing(12)),
    (b"X-Content-Length: 12\r\n", NO_CONTENT),
    (b"Content_Length: 12\r\n", NO_CONTENT),
    (b"Content-Length: 1\r\nContent-Length: 1\r\n", 400),
    (b"Content-Length: 1, 1\r\n", 400),
    (b"Content-Length: +1\r\n", 400),
    (b"Content-Length: 0x1\r\n", 400),
    (b"Content-Length:\r\n", 400),
    (b"Content-Length: 1 2\r\n", 400),
    (b"Content-Length: 1234567890123456789\r\n", 400),
    (b"Transfer-Encoding: chunked\r\n", Framing(chunked=True)),
    (b"TRANSFER-ENCODING: anything\r\nContent-Length: x\r\n", Framing(chunked=True)),
]


@pytest.mark.parametrize(("fields", "expected"), FRAMINGS)
def test_framing(fields: bytes, expected: Framing | int) -> None:
    judged = check_head(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n", 100, 1000, 10)
    assert (judged.status if isinstance(judged, Refuse) else judged) == expected


FIELDS = [
    (b"A:b", True),
    (b"A:", True),
    (b"A: \t b\tc \t", True),
    (b"A: \x80\xff", True),
    (b"!#$%&'*+.^_`|~-0z: b", True),
    (b"A : b", False),
    (b"A\t: b", False),
    (b" A: b", False),
    (b"A: b\r\n c", False),
    (b": b", False),
    (b"A", False),
    (b"A(b): c", False),
    (b"\xc3\xa9: b", False),
    (b"A: b\rc", False),
    (b"A: b\nc", False),
    (b"A: \x00", False),
    (b"A: \x0b", False),
    (b"A: \x1f", False),
    (b"A: \x7f", False),
]


@pytest.mark.parametrize(("line", "fine"), FIELDS)
def test_field_lines(line: bytes, fine: bool) -> None:
    judged = check_head(b"GET / HTTP/1.1\r\nHost: a\r\n%b\r\n\r\n" % line, 100, 1000, 10)
    assert (judged.status if isinstance(judged, Refuse) else judged) == (
        NO_CONTENT if fine else 400
    )


LIMITS = [
    (b"GET /%b HTTP/1.1\r\n\r\n" % (b"a" * 86), 0),
    (b"GET /%b HTTP/1.1\r\n\r\n" % (b"a" * 87), 414),
    (b"GET / HTTP/1.1\r\n%b\r\n" % (b"A: b\r\n" * 10), 0),
    (b"GET / HTTP/1.1\r\n%b\r\n" % (b"A: b\r\n" * 11), 431),
    (b"GET / HTTP/1.1\r\nA: %b\r\n\r\n" % (b"b" * 1000), 431),
    (b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400),
]


@pytest.mark.parametrize(("head", "status"), LIMITS)
def test_limits_and_line_ends(head: bytes, status: int) -> None:
    judged = check_head(head, 100, 1000, 10)
    assert (judged.status if isinstance(judged, Refuse) else 0) == status


OCTETS = [
    (b"GET / HTTP/1.1\r\nA: b\tc\xff", True),
    (b"A: b\r", True),
    (b"A: b\rc", False),
    (b"A: b\n", False),
    (b"\nA", False),
    (b"A: \x00", False),
    (b"\x16\x03\x01", False),
    (b"A: \x7f", False),
]


@pytest.mark.parametrize(("octets", "fine"), OCTETS)
def test_line_ends_and_controls(octets: bytes, fine: bool) -> None:
    assert (check_lines(octets) is None) is fine


STAND_INS = [
    (b"GET /1.2 HTTP/1.2", b"GET / HTTP/1.1", b"/1.2"),
    (b"GET /x HTTP/1.0", b"GET / HTTP/1.0", b"/x"),
    (b"GET http://xn--a/ HTTP/1.1", b"GET / HTTP/1.1", b"http://xn--a/"),
    (b"OPTIONS * HTTP/1.1", b"OPTIONS / HTTP/1.1", b"*"),
    (b"CONNECT xn--a:1 HTTP/1.1", b"CONNECT localhost:1 HTTP/1.1", b"xn--a:1"),
]


@pytest.mark.parametrize(("line", "stand", "target"), STAND_INS)
def test_a_parser_does_not_see_the_target(line: bytes, stand: bytes, target: bytes) -> None:
    fields = b"\r\nA: GET /1.2 HTTP/1.2\r\n\r\n"
    assert stand_in(line + fields) == (stand + fields, target)
