"""What is labgate's own ends here; every other octet goes up."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.changes import Change
from proxy.rules.credentials import is_basic, session_cookies, without_session
from proxy.rules.request import upstream_fields
from tests.heads import HOST, SITE, get


@pytest.mark.parametrize(
    ("cookie", "left"),
    [
        (b"__Host-labgate=x", None),
        (b"__Host-labgate=x; ", None),
        (b"__Host-labgate=x; a=1", b"a=1"),
        (b"a=1; __Host-labgate=x", b"a=1"),
        (b"a=1; __Host-labgate=x; b=2", b"a=1; b=2"),
        (b"a=1;__Host-labgate=x;b=2", b"a=1;b=2"),
        (b"a=1; __Host-labgate=x; __Host-labgate=y;  b = 2 ;c", b"a=1;  b = 2 ;c"),
        (b"__Host-labgate", None),
        (b"a=__Host-labgate=x", b"a=__Host-labgate=x"),
        (b"__host-labgate=x", b"__host-labgate=x"),
        (b"__Host-labgate2=x; b=2", b"__Host-labgate2=x; b=2"),
        (b'a="\xff,;";  b', b'a="\xff,;";  b'),
    ],
)
def test_our_cookie_is_taken_out(cookie: bytes, left: bytes | None) -> None:
    assert without_session(cookie) == left


def test_our_cookies_are_found() -> None:
    fields = [b"a=1; __Host-labgate=x", b"b=2", b"__Host-labgate = y ;__Host-labgate=z=z"]
    assert session_cookies(fields) == [b"x", b"y", b"z=z"]


SCHEMES = [
    (b"Basic eDp5", True),
    (b"BASIC\teDp5", True),
    (b"basic", True),
    (b"Basic2 eDp5", False),
    (b"Basi", False),
    (b"Bearer x", False),
    (b"token basic", False),
    (b"", False),
]


@pytest.mark.parametrize(("authorization", "basic"), SCHEMES)
def test_the_scheme_basic_is_labgates(authorization: bytes, basic: bool) -> None:
    assert is_basic(authorization) is basic


HEAD = get(
    HOST,
    b"Cookie: a=1; __Host-labgate=secret; b=2",
    b"Authorization: Basic c2VjcmV0",
    b"X: y",
    b"authorization: token abc",
    b"Cookie: __Host-labgate=secret",
    b"COOKIE: c=3",
)


def test_with_a_login_of_its_own_labgate_does_not_forward_them() -> None:
    changes: list[Change] = []
    sent = upstream_fields(HEAD, replace(SITE, requires_login=True), changes=changes)
    assert [field for field in sent if field[0].lower() in (b"cookie", b"authorization", b"x")] == [
        (b"Cookie", b"a=1; b=2"),
        (b"X", b"y"),
        (b"authorization", b"token abc"),
        (b"COOKIE", b"c=3"),
    ]
    assert [change.after for change in changes if change.rule == "basic-auth"] == [
        b"a=1; b=2",
        None,
        None,
    ]


def test_without_a_login_of_its_own_labgate_forwards_them() -> None:
    sent = upstream_fields(HEAD, SITE)
    assert [field for field in HEAD.fields if field not in sent] == [HEAD.fields[0]]
