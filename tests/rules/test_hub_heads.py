"""The heads between clients and a Hub: everything passes, X-Forwarded-* grow."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from proxy.rules.pass_through import PassThrough
from proxy.rules.request import upstream_fields
from proxy.rules.response import downstream_fields
from proxy.rules.site import WebOrigin, make_site
from tests.heads import JUPYTER, Site, answered, fields, get

PUBLIC = WebOrigin("http", "hub.example.org", 8000)


def site(*, preserve: bool = True, **policy: Any) -> Site:
    passes = PassThrough(**policy)
    return make_site((PUBLIC,), JUPYTER, preserve=preserve, pass_through=passes)


SENT = (
    b"Host: hub.example.org:8000",
    b"Origin: https://elsewhere.example",
    b"Referer: http://hub.example.org:8000/hub/home",
    b"Authorization: token x",
    b"Cookie: a=b",
    b"Forwarded: for=192.0.2.1",
)


def test_what_labgate_checks_elsewhere_passes_as_it_is() -> None:
    head = get(*SENT)
    up = upstream_fields(head, site())
    assert up[0] == (b"Host", b"hub.example.org:8000")
    assert set(fields(*SENT)) <= set(up)


BEGUN = [
    (False, (b"Host: hub:8000",), (b"203.0.113.7", b"8000", b"http", b"hub:8000")),
    (False, (b"Host: hub",), (b"203.0.113.7", b"80", b"http", b"hub")),
    (True, (b"Host: hub",), (b"203.0.113.7", b"443", b"https", b"hub")),
    (True, (b"Host: hub:8443",), (b"203.0.113.7", b"8443", b"https", b"hub:8443")),
    # HTTP/1.0 needs no Host, and the Hub gets one that is empty.
    (True, (), (b"203.0.113.7", b"443", b"https")),
]
FORWARDED = (b"X-Forwarded-For", b"X-Forwarded-Port", b"X-Forwarded-Proto", b"X-Forwarded-Host")


@pytest.mark.parametrize(("tls", "lines", "values"), BEGUN)
def test_x_forwarded_is_begun(
    tls: bool, lines: tuple[bytes, ...], values: tuple[bytes, ...]
) -> None:
    head = get(*lines)
    host = dict(head.fields).get(b"Host", b"")
    begun = zip(FORWARDED, values, strict=False)
    expected = [(b"Host", host), *begun, (b"Via", b"1.1 labgate")]
    assert upstream_fields(head, site(tls=tls)) == expected


def test_a_peer_that_is_no_text_of_a_field_breaks_nothing() -> None:
    up = dict(upstream_fields(get(b"Host: h").from_peer("\xe9"), site()))
    assert up[b"X-Forwarded-For"] == b"?"


def test_an_existing_via_is_continued() -> None:
    head = replace(get(b"Host: h", b"Via: 1.0 a", b"via: 1.1 b"), version=(1, 0))
    up = upstream_fields(head, site(forwarded=False))
    assert up == [(b"Host", b"h"), (b"Via", b"1.0 a, 1.1 b, 1.0 labgate")]


def test_the_length_has_no_leading_zeros() -> None:
    """Some parsers read it as octal then."""
    up = upstream_fields(get(b"Host: h", b"content-length: 010"), site(forwarded=False))
    assert up == [(b"Host", b"h"), (b"content-length", b"10"), (b"Via", b"1.1 labgate")]


def test_x_forwarded_is_appended_to_and_its_host_stays() -> None:
    head = get(
        b"Host: inner",
        b"x-forwarded-for: 192.0.2.1",
        b"X-Forwarded-For: 192.0.2.2",
        b"X-Forwarded-Proto: https",
        b"X-Forwarded-Port: 443",
        b"X-Forwarded-Host: hub.example.org",
    )
    up = upstream_fields(head, site())
    named = [(name, value) for name, value in up if name.lower().startswith(b"x-forwarded")]
    assert named == [
        (b"X-Forwarded-Host", b"hub.example.org"),
        (b"X-Forwarded-For", b"192.0.2.1,192.0.2.2,203.0.113.7"),
        (b"X-Forwarded-Port", b"443,80"),
        (b"X-Forwarded-Proto", b"https,http"),
    ]


CLAIMS = (
    b"X-Real-IP: 192.0.2.1",
    b"x-scheme: https",
    b"X_Real_IP: 192.0.2.1",
    b"X-Real_IP: 192.0.2.1",
    b"X_Scheme: https",
    b"X_Forwarded_For: 192.0.2.1",
    b"X_Forwarded-Proto: https",
)


@pytest.mark.parametrize("claim", CLAIMS)
def test_what_a_hub_would_believe_first_is_removed(claim: bytes) -> None:
    up = upstream_fields(get(b"Host: h", claim), site())
    assert fields(claim)[0] not in up


def test_or_all_is_left_alone() -> None:
    sent = (b"X-Forwarded-For: 192.0.2.1", *CLAIMS)
    up = upstream_fields(get(b"Host: h", *sent), site(forwarded=False))
    assert [field for field in up if field in fields(*sent)] == list(fields(*sent))
    assert not [value for name, value in up if name == b"X-Forwarded-Proto"]


def test_fields_of_the_connection_do_not_pass() -> None:
    head = get(
        b"Host: h", b"Connection: close, X-Own", b"X-Own: 1", b"TE: trailers", b"Content_Length: 3"
    )
    names = {name.lower() for name, _ in upstream_fields(head, site())}
    assert names.isdisjoint({b"connection", b"x-own", b"te", b"content_length"})


def test_a_websocket_is_asked_for() -> None:
    head = get(b"Host: h", b"Connection: upgrade", b"Upgrade: websocket")
    up = upstream_fields(head, site(), websocket=True)
    assert up[-2:] == [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]


def test_configured_fields_replace_the_clients() -> None:
    set_fields = ((b"X-Custom", b"ours"),)
    up = upstream_fields(get(b"Host: h", b"x-custom: theirs"), site(set_fields=set_fields))
    assert [value for name, value in up if name.lower() == b"x-custom"] == [b"ours"]


def test_host_may_be_the_upstreams() -> None:
    up = upstream_fields(get(b"Host: h"), site(preserve=False))
    assert up[0] == (b"Host", b"127.0.0.1:8888")


@pytest.mark.parametrize("also", [(), (b"Connection: close",), (b"Connection: X-Own", b"X-Own: 1")])
def test_responses_pass_as_they_are(also: tuple[bytes, ...]) -> None:
    sent = (
        b"Set-Cookie: a=b; Domain=127.0.0.1",
        b"Location: http://127.0.0.1:8888/x",
        b"Access-Control-Allow-Origin: http://127.0.0.1:8888",
        b"Content-Length: 007",
        b"Date: now",
    )
    expected = list(fields(*sent))
    expected[3] = (b"Content-Length", b"7")
    assert downstream_fields(answered(*sent, *also), site(), PUBLIC) == (expected, True)


@pytest.mark.parametrize(
    ("status", "dropped"),
    [
        (200, b"Keep-Alive: timeout=5"),
        (200, b"Transfer-Encoding: chunked"),
        (200, b"Proxy-Connection: keep-alive"),
        (103, b"Content-Length: 5"),
        (204, b"Content-Length: 0"),
        (204, b"Content-Length: 5"),
    ],
)
def test_what_is_of_the_connection_or_its_framing_does_not(status: int, dropped: bytes) -> None:
    sent = (b"Content-Type: text/plain", b"Date: now")
    head = answered(sent[0], dropped, sent[1], status=status)
    assert downstream_fields(head, site(), PUBLIC) == (list(fields(*sent)), True)
    assert downstream_fields(answered(sent[0]), site(), PUBLIC) == (list(fields(sent[0])), False)


@pytest.mark.parametrize(
    ("websocket", "status", "added"),
    [
        (True, 101, [(b"Connection", b"Upgrade"), (b"Upgrade", b"websocket")]),
        (True, 403, []),
        (False, 101, []),
    ],
)
def test_only_a_websocket_is_switched_to(
    websocket: bool, status: int, added: list[tuple[bytes, bytes]]
) -> None:
    sent = (b"Sec-WebSocket-Accept: x", b"Date: now")
    head = answered(*sent, b"connection: upgrade", b"upgrade: WebSocket", status=status)
    down = downstream_fields(head, site(), PUBLIC, websocket=websocket)
    assert down == ([*fields(*sent), *added], True)


def test_a_response_of_which_nothing_changes_passes() -> None:
    sent = (b"Content-Length: 70", b"DATE: now")
    assert downstream_fields(answered(*sent), site(), PUBLIC) == (list(fields(*sent)), True)


MOVED = [
    (b"http://127.0.0.1:8888/x", b"http://hub.example.org:8000/x", {"location_host": True}),
    (b"http://127.0.0.1:8888", b"https://127.0.0.1:8888", {"location_scheme": "https"}),
    (b"http://127.0.0.1:88880/x", b"http://127.0.0.1:88880/x", {"location_host": True}),
    (b"/x", b"/x", {"location_host": True, "location_scheme": "https"}),
    (b"https://other.example/", b"https://other.example/", {"location_host": True}),
    (
        b"http://127.0.0.1:8888/x?next=http://127.0.0.1:8888/y",
        b"http://hub.example.org:8000/x?next=http://127.0.0.1:8888/y",
        {"location_host": True},
    ),
]


@pytest.mark.parametrize(("before", "after", "policy"), MOVED)
def test_redirects_to_the_upstream_may_be_moved(
    before: bytes, after: bytes, policy: dict[str, Any]
) -> None:
    head = answered(b"Location: " + before, status=302)
    down, _ = downstream_fields(head, site(**policy), PUBLIC)
    assert down == [(b"Location", after)]
    unmoved, _ = downstream_fields(replace(head, status=200), site(**policy), PUBLIC)
    assert unmoved == [(b"Location", before)]


@pytest.mark.parametrize("named", [b"jupyter", b"Jupyter", b"jupyter:80"])
def test_every_spelling_of_the_upstream_is_moved(named: bytes) -> None:
    moving = replace(site(location_host=True), upstream=WebOrigin("http", "jupyter", 80))
    head = answered(b"Location: http://" + named + b"?x", status=303)
    down, _ = downstream_fields(head, moving, PUBLIC)
    assert down == [(b"Location", b"http://hub.example.org:8000?x")]


def test_only_the_location_is_moved() -> None:
    other = b"Content-Location: http://127.0.0.1:8888/x"
    head = answered(b"Location: http://127.0.0.1:8888/x", other, status=201)
    down, _ = downstream_fields(head, site(location_host=True), PUBLIC)
    assert down == [(b"Location", b"http://hub.example.org:8000/x"), *fields(other)]


def test_the_public_origin_is_what_the_client_wrote() -> None:
    assert site().public_origin(get(b"Host: 192.0.2.9:81")) == WebOrigin("http", "192.0.2.9", 81)
    assert site().public_origin(get()) == PUBLIC
