"""What came back, in words: no page that works, no secret, no control character."""

from __future__ import annotations

import pytest

from proxy.doctor.answer import Answer, set_cookies
from tests.interruption import interrupted

RECEIVED = [
    (Answer("GET /", failure="the connection was reset"), "the connection was reset"),
    (Answer("GET /", 200, body=b'{"token": "abc"}'), "200 OK"),
    (
        Answer("GET /", 403, body=b'{"message": "\'_xsrf\' argument missing", "reason": null}'),
        "403 Forbidden: '_xsrf' argument missing",
    ),
    (
        Answer("GET /", 404, body=b"<html><head><title>404 A</title></head><h1>404 Gone</h1>"),
        "404 Not Found: 404 Gone",
    ),
    (
        Answer("GET /", 302, [("Location", "/login?next=%2Flab%3Ftoken%3Dabc")]),
        "302 Found, Location: /login?next=%2Flab%3Ftoken%3D[redacted]",
    ),
    (Answer("GET /", 400, body=b'Can "Upgrade" only'), '400 Bad Request: Can "Upgrade" only'),
    (Answer("GET /", 404, body=b"<h1>404 : Not Found</h1>"), "404 Not Found"),
    (Answer("GET /", 403, body=b'{"message": "Forbidden"}'), "403 Forbidden"),
    (Answer("GET /", 599), "599"),
    (Answer("GET /", 500, body=b"[" * 100_000), "500 Internal Server Error: " + "[" * 132 + "…"),
    (
        Answer("GET /", 403, body=b"<style>h1 {}</style><p>No <b>entry</b>"),
        "403 Forbidden: No entry",
    ),
    (
        Answer("GET /", 403, body=b"<head><title>A</head><header>Keep out"),
        "403 Forbidden: Keep out",
    ),
    (Answer("GET /", 502, body=b"\x1b[2Jgone"), "502 Bad Gateway:  [2Jgone"),
    (
        Answer("GET /", 200, failure="the connection ended after 3 bytes"),
        "200 OK; then the connection ended after 3 bytes",
    ),
]


@pytest.mark.parametrize(("answer", "received"), RECEIVED)
def test_received(answer: Answer, received: str) -> None:
    assert answer.received == received


def test_it_is_not_longer_than_people_read() -> None:
    assert len(Answer("GET /", 500, body=b"x " * 1000).received) <= 160


def test_fields_are_found_in_any_case() -> None:
    answer = Answer("GET /", 200, [("SERVER", "nginx"), ("X", "1"), ("x", "2")])
    assert (answer.field("Server"), answer.field("Via")) == ("nginx", "")
    assert answer.values("X") == ["1", "2"]


def test_cookies() -> None:
    lines = ["_xsrf=2|a=b|c; Path=/", "username-h=v; HttpOnly; Secure ; Path=/"]
    answer = Answer("GET /", 200, [("set-cookie", line) for line in lines])
    assert set_cookies(answer) == {
        "_xsrf": ("2|a=b|c", frozenset({"path=/"})),
        "username-h": ("v", frozenset({"httponly", "secure", "path=/"})),
    }


@pytest.mark.parametrize(
    ("status", "location", "elsewhere"),
    [
        (302, "/login", False),
        (302, "https://sso.example/", True),
        (307, "//sso.example/", True),
        (200, "https://sso.example/", False),
    ],
)
def test_elsewhere(status: int, location: str, elsewhere: bool) -> None:
    assert Answer("GET /", status, [("Location", location)]).elsewhere is elsewhere


MEGABYTE = 2**20
HOSTILE = [
    b"<",
    b"<h1>",
    b"<title>",
    b"<style>",
    b"<script ",
    b"</",
    b"<>",
    b"&amp;",
    b"[",
    b'{"a":',
]


@pytest.mark.parametrize("piece", HOSTILE)
def test_a_hostile_page_costs_no_more_than_its_length(piece: bytes) -> None:
    answer = Answer("GET /", 500, body=piece * (MEGABYTE // len(piece)))
    with interrupted():  # where it is quadratic, it takes minutes
        assert answer.received.startswith("500 Internal Server Error")
