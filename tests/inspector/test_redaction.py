"""Secrets never reach a log or a terminal."""

from __future__ import annotations

import pytest

from proxy.inspector.redaction import printable, redact, redact_target

FIELDS = [
    (b"Authorization", b"token s3cret", b"token [redacted]"),
    (b"authorization", b"s3cret", b"[redacted]"),
    (b"X-XSRFToken", b"s3cret", b"[redacted]"),
    (b"Cookie", b"a=s3cret; username-x=s3cret", b"a=[redacted]; username-x=[redacted]"),
    (b"Cookie", b"s3cret; ;a=s=t", b"[redacted]; ;a=[redacted]"),
    (b"Set-Cookie", b"a=s3cret; Path=/; Secure", b"a=[redacted]; Path=/; Secure"),
    (b"Referer", b"https://h/lab?token=s3cret&x=1", b"https://h/lab?token=[redacted]&x=1"),
    (b"Location", b"/login?next=/x", b"/login?next=/x"),
    (b"Host", b"h", b"h"),
]


@pytest.mark.parametrize(("name", "value", "expected"), FIELDS)
def test_fields(name: bytes, value: bytes, expected: bytes) -> None:
    assert redact(name, value) == expected


def test_targets() -> None:
    assert redact_target(b"/a?TOKEN=x&b=1") == b"/a?TOKEN=[redacted]&b=1"
    assert redact_target(b"/a?b=token") == b"/a?b=token"
    encoded = b"/login?next=%2Flab%3Ftoken%3Ds3cret"
    assert redact_target(encoded) == b"/login?next=%2Flab%3Ftoken%3D[redacted]"
    twice = b"/login?next=%252Flab%253Fa%253Db%2526TOKEN%253Ds3cret&x=1"
    assert redact_target(twice) == b"/login?next=%252Flab%253Fa%253Db%2526TOKEN%253D[redacted]&x=1"


def test_control_bytes_are_shown_not_sent() -> None:
    assert printable(b"a\x1b[31m\r\nb\xff") == "a\\x1b[31m\\x0d\\x0abÿ"
    assert printable(b"x" * 400) == "x" * 300 + "…"


def test_a_long_value_takes_no_time() -> None:
    assert redact(b"Set-Cookie", b"a" * 250_000) == b"[redacted]"
    assert redact(b"Cookie", b"a;" * 100_000).count(b"[redacted]") == 100_000
