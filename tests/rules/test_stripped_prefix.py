"""A path that the upstream does not know of: gone on the way up, back on the way down."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.changes import Change
from proxy.rules.request import upstream_fields
from proxy.rules.response import location, set_cookie
from proxy.rules.stripped_prefix import StrippedPrefix
from tests.heads import HOST, LAB, SITE, get

STRIPPED = replace(SITE, stripped=StrippedPrefix(b"/ada/"), folder=b"/ada", base_path="/ada/")
BELOW = replace(STRIPPED, stripped=StrippedPrefix(b"/ada/", b"/app/"))

LAB_ADA = b"https://lab.example.org/ada/"


@pytest.mark.parametrize(
    ("target", "sent", "below"),
    [
        (b"/ada/", b"/", b"/app/"),
        (b"/ada/x?y=/ada/", b"/x?y=/ada/", b"/app/x?y=/ada/"),
        (b"/ada/%2Fx", b"/%2Fx", b"/app/%2Fx"),
        (b"/%61da/x", b"/x", b"/app/x"),
        (b"*", b"*", b"*"),
    ],
)
def test_up(target: bytes, sent: bytes, below: bytes) -> None:
    for site, expected in ((STRIPPED, sent), (BELOW, below)):
        assert site.stripped is not None
        assert site.stripped.head_up(get(HOST, target=target)).target == expected


def test_the_program_is_told_what_is_missing_and_clients_cannot_say_it() -> None:
    changes: list[Change] = []
    fields = upstream_fields(get(HOST, b"X-Forwarded-Prefix: /eve"), STRIPPED, changes=changes)
    assert [value for name, value in fields if name == b"X-Forwarded-Prefix"] == [b"/ada"]
    assert [change for change in changes if change.name == b"X-Forwarded-Prefix"] == [
        Change("client-claims", b"X-Forwarded-Prefix", b"/eve", None),
        Change("forwarded", b"X-Forwarded-Prefix", None, b"/ada"),
    ]
    fields = upstream_fields(get(HOST, b"X-Forwarded-Prefix: /eve"), SITE)
    assert not [value for name, value in fields if name == b"X-Forwarded-Prefix"]


@pytest.mark.parametrize(
    ("value", "public", "below"),
    [
        (b"/", b"/ada/", b"/"),
        (b"/login?next=/", b"/ada/login?next=/", b"/login?next=/"),
        (b"/app/x", b"/ada/app/x", b"/ada/x"),
        (b"/app", b"/ada/app", b"/ada"),
        (b"/app?x", b"/ada/app?x", b"/ada?x"),
        (b"/apple", b"/ada/apple", b"/apple"),
        # A program that reads X-Forwarded-Prefix says the public path itself.
        (b"/ada/login?next=/ada/", b"/ada/login?next=/ada/", b"/ada/login?next=/ada/"),
        (b"/ada", b"/ada", b"/ada"),
        (b"/ada?x", b"/ada?x", b"/ada?x"),
        (b"/ada#x", b"/ada#x", b"/ada#x"),
        (b"/adam", b"/ada/adam", b"/adam"),
        (b"/adx", b"/ada/adx", b"/adx"),
        (b"http://127.0.0.1:8888/ada/x", LAB_ADA + b"x", LAB_ADA + b"x"),
        # Whoever knows the public name knows the public path.
        (b"http://lab.example.org/ada/x", LAB_ADA + b"x", LAB_ADA + b"x"),
        (b"http://lab.example.org/x", b"https://lab.example.org/x", b"https://lab.example.org/x"),
        (LAB_ADA + b"x", LAB_ADA + b"x", LAB_ADA + b"x"),
        (b"x", b"x", b"x"),
        (b"//elsewhere.example/x", b"//elsewhere.example/x", b"//elsewhere.example/x"),
        (
            b"https://elsewhere.example/",
            b"https://elsewhere.example/",
            b"https://elsewhere.example/",
        ),
    ],
)
def test_location(value: bytes, public: bytes, below: bytes) -> None:
    assert location(value, STRIPPED, LAB) == public
    assert location(value, BELOW, LAB) == below


@pytest.mark.parametrize(
    ("upstream", "path", "public"),
    [
        (b"/ada/v2/", b"/ada/v2/x", b"/ada/x"),
        (b"/ada/v2/", b"/ada/x", b"/ada/x"),
        (b"/ada/", b"/ada/x", b"/ada/x"),
        (b"/a/", b"/ada/x", b"/ada/x"),
        (b"/a/", b"/a/x", b"/ada/x"),
    ],
)
def test_where_both_begin_alike_the_longer_one_counts(
    upstream: bytes, path: bytes, public: bytes
) -> None:
    assert StrippedPrefix(b"/ada/", upstream).path_down(path) == public


def test_a_location_with_the_upstreams_name() -> None:
    named = str(SITE.upstream).encode() + b"/tree"
    assert location(named, STRIPPED, LAB) == b"https://lab.example.org/ada/tree"
    assert location(named, SITE, LAB) == b"https://lab.example.org/tree"


def test_cookies() -> None:
    rest = b"; Secure; SameSite=Lax"
    assert set_cookie(b"a=1; Path=/", STRIPPED) == b"a=1; Path=/ada/" + rest
    assert set_cookie(b"a=1; path=/app/x", BELOW) == b"a=1; path=/ada/x" + rest
    assert set_cookie(b"a=1; Path=/x=y", STRIPPED) == b"a=1; Path=/ada/x=y" + rest
    for known in (b"/ada/", b"/ada", b"/ada/x"):
        assert set_cookie(b"a=1; Path=" + known, STRIPPED) == b"a=1; Path=" + known + rest
    assert set_cookie(b"a=1; Path=/", SITE) == b"a=1; Path=/" + rest
