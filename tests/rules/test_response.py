"""What comes back down: Location, Set-Cookie, CORS, hop-by-hop."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.changes import Change
from proxy.rules.pass_through import PassThrough
from proxy.rules.response import downstream_fields, location, set_cookie
from proxy.rules.site import WebOrigin, make_site
from tests.heads import JUPYTER, LAB, LOCAL, SITE, answered, fields

LOCATIONS = [
    (b"/lab?x", b"/lab?x"),
    (b"", b""),
    (b"http://127.0.0.1:8888/lab", b"https://lab.example.org/lab"),
    (b"HTTP://127.0.0.1:8888", b"https://lab.example.org"),
    (b"http://127.0.0.1:8888?x", b"https://lab.example.org?x"),
    (b"//127.0.0.1:8888/x", b"https://lab.example.org/x"),
    (b"http://lab.example.org/x", b"https://lab.example.org/x"),
    (b"https://lab.example.org/x", b"https://lab.example.org/x"),
    (b"http://127.0.0.1:88880/", b"http://127.0.0.1:88880/"),
    (b"http://127.0.0.1:8888@evil.example/", b"http://127.0.0.1:8888@evil.example/"),
    (b"http://127.0.0.1/", b"http://127.0.0.1/"),
    (b"https://127.0.0.1:8888/", b"https://127.0.0.1:8888/"),
    (b"https://elsewhere.example/", b"https://elsewhere.example/"),
]


@pytest.mark.parametrize(("value", "expected"), LOCATIONS)
def test_location(value: bytes, expected: bytes) -> None:
    assert location(value, SITE, LAB) == expected


def test_location_names_the_domain_that_was_asked() -> None:
    assert location(b"http://127.0.0.1:8888/x", SITE, LOCAL) == b"https://localhost:8443/x"
    head = answered(b"Location: http://127.0.0.1:8888/x", status=302)
    assert downstream_fields(head, SITE, LOCAL)[0] == [(b"Location", b"https://localhost:8443/x")]


def test_without_tls_a_location_that_names_another_public_name_stays() -> None:
    """Over TLS it may come from a Jupyter that knows of none; here it means that name."""
    domains = tuple(WebOrigin("http", host, 80) for host in ("lab.example.org", "localhost"))
    named = b"http://localhost/x"
    assert location(named, make_site(domains, JUPYTER), domains[0]) == named
    assert location(b"http://localhost:8443/x", SITE, LAB) == b"https://lab.example.org/x"


COOKIES = [
    (b"a=b", b"a=b; Secure; SameSite=Lax"),
    (b"a=b; Path=/; HttpOnly", b"a=b; Path=/; HttpOnly; Secure; SameSite=Lax"),
    (b"a=b; secure; samesite=Strict", b"a=b; secure; samesite=Strict"),
    (b"a=b; Domain=127.0.0.1; Path=/", b"a=b; Path=/; Secure; SameSite=Lax"),
    (b"a=b; DOMAIN = .127.0.0.1 ", b"a=b; Secure; SameSite=Lax"),
    (b"a=b; Domain=127.0.0.1.", b"a=b; Domain=127.0.0.1.; Secure; SameSite=Lax"),
    (b"a=b; Domain=X.127.0.0.1", b"a=b; Domain=X.127.0.0.1; Secure; SameSite=Lax"),
    (b"a=b; Domain=example.org", b"a=b; Domain=example.org; Secure; SameSite=Lax"),
    (b"secure=samesite", b"secure=samesite; Secure; SameSite=Lax"),
]


@pytest.mark.parametrize(("value", "expected"), COOKIES)
def test_set_cookie(value: bytes, expected: bytes) -> None:
    assert set_cookie(value, SITE) == expected


def test_a_domain_that_names_the_upstream_goes_in_any_case() -> None:
    site = make_site((LAB,), WebOrigin("http", "jupyter", 8888))
    assert set_cookie(b"a=b; Domain=JUPYTER", site) == b"a=b; Secure; SameSite=Lax"


OURS = [
    (b"__Host-labgate=x; Path=/; Secure", True),
    (b"__Host-labgate=", True),
    (b" __Host-labgate = x", True),
    (b"__Host-labgate; Path=/", True),
    # Browsers of some years send these back under our name.
    (b"=__Host-labgate=x; Path=/; Secure", True),
    (b" = __Host-labgate=x", True),
    (b"__host-labgate=x", False),
    (b"__Host-labgate2=x", False),
    (b"a=__Host-labgate=x", False),
    (b"X__Host-labgate=x", False),
    (b"a=b; Path=/__Host-labgate=x", False),
]


@pytest.mark.parametrize(("value", "ours"), OURS)
def test_jupyter_does_not_set_our_session(value: bytes, ours: bool) -> None:
    head = answered(b"A: b", b"Set-Cookie: " + value)
    changes: list[Change] = []
    kept, _ = downstream_fields(head, replace(SITE, requires_login=True), LAB, changes=changes)
    assert [name for name, _ in kept] == [b"A", b"Set-Cookie"][: 2 - ours]
    assert (changes[0].rule, changes[0].after is None) == (
        ("basic-auth", True) if ours else ("set-cookie", False)
    )
    # Without a login of labgate's own the name may be another labgate's behind this one.
    kept, _ = downstream_fields(head, SITE, LAB)
    assert len(kept) == 2


def test_cookies_are_never_joined() -> None:
    kept, _ = downstream_fields(answered(b"Set-Cookie: a=1", b"Set-Cookie: b=2"), SITE, LAB)
    assert [name for name, _ in kept] == [b"Set-Cookie", b"Set-Cookie"]


UPSTREAM_CORS = (
    b"Access-Control-Allow-Origin: http://127.0.0.1:8888",
    b"Access-Control-Allow-Credentials: true",
)


def test_cors_that_names_the_upstream_goes() -> None:
    kept, _ = downstream_fields(answered(*UPSTREAM_CORS, b"Vary: Origin"), SITE, LAB)
    assert kept == list(fields(b"Vary: Origin"))


def test_cors_that_names_anything_else_stays() -> None:
    lines = (b"Access-Control-Allow-Origin: *", b"Access-Control-Allow-Credentials: true")
    kept, _ = downstream_fields(answered(*lines), SITE, LAB)
    assert kept == list(fields(*lines))


def test_hop_by_hop_fields_end_here() -> None:
    head = answered(b"Connection: X-Mine", b"X-Mine: 1", b"Keep-Alive: x", b"Transfer-Encoding: x")
    assert downstream_fields(head, SITE, LAB) == ([], False)


@pytest.mark.parametrize("status", [100, 103, 204])
def test_no_length_where_there_is_no_content(status: int) -> None:
    assert downstream_fields(answered(b"Content-Length: 0", status=status), SITE, LAB)[0] == []


LENGTHS = [
    (200, b"5", b"5"),
    (200, b"0", b"0"),
    (200, b"007", b"7"),
    (201, b"5", b"5"),
]


@pytest.mark.parametrize(("status", "given", "sent"), LENGTHS)
def test_a_length_is_one_number_for_every_parser(status: int, given: bytes, sent: bytes) -> None:
    """Leading zeros are octal to some."""
    fields, _ = downstream_fields(answered(b"Content-Length: " + given, status=status), SITE, LAB)
    assert fields == [(b"Content-Length", sent)]


def test_304_keeps_the_length_it_would_have_had() -> None:
    kept, _ = downstream_fields(answered(b"Content-Length: 5", status=304), SITE, LAB)
    assert kept == list(fields(b"Content-Length: 5"))


def test_a_date_is_noticed() -> None:
    assert downstream_fields(answered(b"date: x"), SITE, LAB) == ([(b"date", b"x")], True)


@pytest.mark.parametrize("policy", [None, PassThrough()])
def test_a_101_keeps_its_upgrade(policy: PassThrough | None) -> None:
    head = answered(b"Upgrade: websocket", b"Connection: Upgrade", b"A: b", status=101)
    site = replace(SITE, pass_through=policy)
    kept, _ = downstream_fields(head, site, LAB, websocket=True)
    assert kept == list(fields(b"A: b", b"Connection: Upgrade", b"Upgrade: websocket"))


def test_an_upgrade_is_only_in_the_101_of_a_websocket() -> None:
    upgrade = (b"Upgrade: websocket", b"Connection: Upgrade")
    assert downstream_fields(answered(*upgrade, status=101), SITE, LAB)[0] == []
    assert downstream_fields(answered(*upgrade, status=200), SITE, LAB, websocket=True)[0] == []


def test_changes_are_noted() -> None:
    changes: list[Change] = []
    downstream_fields(answered(b"Set-Cookie: a=b", *UPSTREAM_CORS), SITE, LAB, changes=changes)
    assert [change.rule for change in changes] == ["set-cookie", "cors", "cors"]


def test_without_tls_nothing_is_made_secure() -> None:
    site = make_site((LAB._replace(scheme="http", port=80),), JUPYTER)
    assert set_cookie(b"a=b", site) == b"a=b; SameSite=Lax"


def test_strict_transport_security() -> None:
    site = replace(SITE, hsts_seconds=15552000)
    kept, _ = downstream_fields(answered(b"Strict-Transport-Security: max-age=1"), site, LAB)
    assert kept == [(b"Strict-Transport-Security", b"max-age=15552000")]
    assert downstream_fields(answered(status=103), site, LAB)[0] == []
    assert downstream_fields(answered(status=101), site, LAB)[0] == []


def test_without_a_configured_hsts_jupyters_own_stays() -> None:
    kept, _ = downstream_fields(answered(b"Strict-Transport-Security: max-age=1"), SITE, LAB)
    assert kept == [(b"Strict-Transport-Security", b"max-age=1")]


def test_what_jupyter_says_of_sniffing_stays() -> None:
    for value in (b"nosniff", b"other"):
        kept, _ = downstream_fields(answered(b"X-Content-Type-Options: " + value), SITE, LAB)
        assert kept == [(b"X-Content-Type-Options", value)]
    assert downstream_fields(answered(), SITE, LAB) == ([], False)


@pytest.mark.parametrize(
    ("lines", "dated"),
    [
        ((b"DATE: today",), True),
        ((b"Date: today", b"Set-Cookie: a=b"), True),
        ((b"Date: today", b"Connection: date"), False),
        ((b"Set-Cookie: a=b",), False),
        ((), False),
    ],
)
def test_whether_the_client_gets_a_date(lines: tuple[bytes, ...], dated: bool) -> None:
    kept, has_date = downstream_fields(answered(*lines), SITE, LAB)
    assert has_date is dated
    assert any(name.lower() == b"date" for name, _ in kept) is dated
