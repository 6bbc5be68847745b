"""What can be parse out of ``Authorization: Basic``, and what is refused without a hash."""

from __future__ import annotations

import base64

import pytest

from proxy.access.basic import MAX_OCTETS, BasicCredentials, basic_values, parse_basic


def basic(pair: bytes, scheme: bytes = b"Basic ") -> bytes:
    return scheme + base64.b64encode(pair)


@pytest.mark.parametrize(
    ("value", "user", "password"),
    [
        (basic(b"ada:sesame"), "ada", b"sesame"),
        (basic(b"ada:sesame", b"bASIC   "), "ada", b"sesame"),
        (basic(b"ada:a:b::c"), "ada", b"a:b::c"),
        (basic("adä:sésame".encode()), "adä", "sésame".encode()),
        (basic(b"a b:  "), "a b", b"  "),
        (basic(b"ada:" + b"x" * MAX_OCTETS), "ada", b"x" * MAX_OCTETS),
        (basic(b"a" * MAX_OCTETS + b":x"), "a" * MAX_OCTETS, b"x"),
        (basic("ada:\xa0".encode()), "ada", "\xa0".encode()),
    ],
)
def test_read(value: bytes, user: str, password: bytes) -> None:
    assert parse_basic([value]) == BasicCredentials(user, password)


@pytest.mark.parametrize(
    "value",
    [
        b"Basic",
        b"Basic ",
        b"Basic !!!!",
        b"Basic YWRhOnNlc2FtZQ",  # no padding
        b"Basic YWRhOnNl\xffc2FtZQ==",
        basic(b"ada"),
        basic(b":sesame"),
        basic(b"ada:"),
        basic(b":"),
        basic(b""),
        basic("ada:sésame".encode("latin-1")),
        basic(b"ad\0a:sesame"),
        basic(b"ada:ses\0ame"),
        basic(b"ada:sesame\n"),
        basic("ada:ses\x85ame".encode()),
        basic(b"ada:ses\x7fame"),
        basic("ada:ses\x9fame".encode()),
        basic(b"ada:ses\x1fame"),
        basic(b"ada:" + b"x" * (MAX_OCTETS + 1)),
        basic(b"a" * (MAX_OCTETS + 1) + b":x"),
        basic(b"ada:" + b"x" * 60_000),
    ],
)
def test_not_to_be_read(value: bytes) -> None:
    assert parse_basic([value]) is None


def test_one_is_enough() -> None:
    assert parse_basic([basic(b"ada:sesame"), basic(b"ada:sesame")]) is None
    assert parse_basic([]) is None


def test_only_basic_is_ours() -> None:
    ours = basic(b"ada:sesame")
    others = [b"token abc", b"Bearer abc", b"Basically x", b"Digest x"]
    assert basic_values([others[0], ours, *others[1:]]) == [ours]
