"""A head's octets: request line, line ends, limits, and how its content is framed."""

from __future__ import annotations

import pytest

from proxy.rules.model import Refuse
from proxy.rules.syntax import (
    NO_CONTENT,
    Framing,
    as_1_1,
    check_head,
    check_lines,
    check_request_line,
)

LINES = [
    (b"GET / HTTP/1.1", 0),
    (b"GET / HTTP/1.0", 0),
    (b"GET / HTTP/1.9", 0),
    (b"M-SEARCH * HTTP/1.1", 0),
    (b'GET /\xc3\xa9?"<> HTTP/1.1', 0),
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
    (b"Upgrade: websocket\r\n", Framing(switches=True)),
    (b"upgrade:h2c\r\nContent-Length: 3\r\n", Framing(3, switches=True)),
]


@pytest.mark.parametrize(("fields", "expected"), FRAMINGS)
def test_framing(fields: bytes, expected: Framing | int) -> None:
    judged = check_head(b"POST / HTTP/1.1\r\nHost: a\r\n" + fields + b"\r\n", 100, 1000, 10)
    assert (judged.status if isinstance(judged, Refuse) else judged) == expected


def test_connect_may_switch() -> None:
    judged = check_head(b"CONNECT a:1 HTTP/1.1\r\n\r\n", 100, 1000, 10)
    assert judged == Framing(switches=True)


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


def test_a_later_minor_version_becomes_1_1() -> None:
    assert as_1_1(b"GET /1.2 HTTP/1.2\r\nA: 1.2\r\n\r\n") == b"GET /1.2 HTTP/1.1\r\nA: 1.2\r\n\r\n"
    assert as_1_1(b"GET / HTTP/1.0\r\n\r\n") == b"GET / HTTP/1.0\r\n\r\n"
