"""A head's octets: request line, line ends and limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from proxy.rules.syntax import (
    check_head,
    check_lines,
    field_lines,
    read_request_line,
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
    read = read_request_line(line)
    assert (read.status if isinstance(read, Refuse) else 0) == status
    assert not isinstance(read, Refuse) or read.close


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
    assert (judged.status if judged else 0) == (0 if fine else 400)


LIMITS = [
    (b"GET /%b HTTP/1.1\r\n\r\n" % (b"a" * 86), 0),
    (b"GET /%b HTTP/1.1\r\n\r\n" % (b"a" * 87), 414),
    (b"GET / HTTP/1.1\r\n%b\r\n" % (b"A: b\r\n" * 10), 0),
    (b"GET / HTTP/1.1\r\n%b\r\n" % (b"A: b\r\n" * 11), 431),
    (b"GET / HTTP/1.1\r\nA: %b\r\n\r\n" % (b"b" * 991), 0),
    (b"GET / HTTP/1.1\r\nA: %b\r\n\r\n" % (b"b" * 992), 431),
    (b"%b / HTTP/1.1\r\nA: %b\r\n\r\n" % (b"G" * 80, b"b" * 950), 0),
    (b"GET / HTTP/1.1\r\nA: b\nB: c\r\n\r\n", 400),
]


@pytest.mark.parametrize(("head", "status"), LIMITS)
def test_limits_and_line_ends(head: bytes, status: int) -> None:
    judged = check_head(head, 100, 1000, 10)
    assert (judged.status if judged else 0) == status


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


LINES_IN_PARTS = [
    (b"GET /1.2 HTTP/1.2", b"GET", b"/1.2", (1, 1)),
    (b"GET /x HTTP/1.0", b"GET", b"/x", (1, 0)),
    (b"GET http://xn--a/ HTTP/1.1", b"GET", b"http://xn--a/", (1, 1)),
    (b"OPTIONS * HTTP/1.1", b"OPTIONS", b"*", (1, 1)),
]


@pytest.mark.parametrize(("line", "method", "target", "version"), LINES_IN_PARTS)
def test_the_parts_of_a_request_line(
    line: bytes, method: bytes, target: bytes, version: tuple[int, int]
) -> None:
    assert read_request_line(line) == (method, target, version)


FIELDS_IN_PARTS: list[tuple[bytes, tuple[Field, ...]]] = [
    (b"", ()),
    (b"A:\r\n", ((b"A", b""),)),
    (b"A: \t\r\n", ((b"A", b""),)),
    (b"A:b\r\na: \tb c \t\r\n", ((b"A", b"b"), (b"a", b"b c"))),
    (b"A: :\xff:\r\nB:\r\n", ((b"A", b":\xff:"), (b"B", b""))),
]


@pytest.mark.parametrize(("lines", "fields"), FIELDS_IN_PARTS)
def test_the_parts_of_field_lines(lines: bytes, fields: tuple[Field, ...]) -> None:
    assert field_lines(b"\r\n" + lines + b"\r\n") == fields


NAMES = st.from_regex(rb"[A-Za-z-]+", fullmatch=True)
VALUES = st.lists(st.sampled_from(list(b"\t !:,azAZ09\x80\xff")), max_size=9).map(bytes)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=8))
def test_whatever_passed_is_taken_apart_as_it_was_put_together(fields: list[Field]) -> None:
    octets = b"\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
    assert field_lines(octets) == tuple((name, value.strip(b" \t")) for name, value in fields)
