"""What goes up: every field that is removed, added or changed."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.rules.changes import Change
from proxy.rules.head import Arrival, Field, RequestHead
from proxy.rules.request import fields_depend_on_target, upstream_fields
from proxy.rules.site import WebOrigin, make_site
from tests.heads import HOST, JUPYTER, LAB, SITE, fields, get
from tests.retained_memory import keeps_no_long_values

SAID = fields(
    b"X-Real-IP: 203.0.113.7",
    b"X-Forwarded-For: 203.0.113.7",
    b"X-Forwarded-Proto: https",
    b"X-Forwarded-Host: lab.example.org",
    b"Via: 1.1 labgate",
)
UP = b"Host: 127.0.0.1:8888"

CASES = [
    pytest.param([], [], id="nothing but Host"),
    pytest.param([b"A: 1", b"a: 2", b"A: 3"], [b"A: 1", b"a: 2", b"A: 3"], id="order and case"),
    pytest.param(
        [b"Origin: https://lab.example.org"], [b"Origin: http://127.0.0.1:8888"], id="Origin"
    ),
    pytest.param(
        [b"Referer: https://LAB.example.org:443/lab?x#y"],
        [b"Referer: http://127.0.0.1:8888/lab?x#y"],
        id="Referer",
    ),
    pytest.param(
        [b"Referer: https://lab.example.org"], [b"Referer: http://127.0.0.1:8888/"], id="no path"
    ),
    pytest.param(
        [b"Referer: https://lab.example.org/a/b?x=https://evil.example"],
        [b"Referer: http://127.0.0.1:8888/a/b?x=https://evil.example"],
        id="a link in the query of Referer",
    ),
    pytest.param(
        [b"Referer: https://lab.example.org?x?y"],
        [b"Referer: http://127.0.0.1:8888/"],
        id="a query without a path",
    ),
    pytest.param(
        [b"Referer: https://evil.example/"], [b"Referer: https://evil.example/"], id="foreign"
    ),
    pytest.param(
        [b"Referer: https://lab.example.org.evil.example/"],
        [b"Referer: https://lab.example.org.evil.example/"],
        id="a longer name",
    ),
    pytest.param(
        [b"Referer: https://evil@lab.example.org/"],
        [b"Referer: https://evil@lab.example.org/"],
        id="userinfo",
    ),
    pytest.param(
        [b"Referer: http://127.0.0.1:88880/", b"Referer: http://127.0.0.1/"],
        [b"Referer: http://127.0.0.1:88880/", b"Referer: http://127.0.0.1/"],
        id="not quite the upstream",
    ),
    pytest.param(
        [b"X-Forwarded-For: 6.6.6.6", b"x-forwarded-prefix: /x", b"X-Real-IP: 6.6.6.6"],
        [],
        id="claims",
    ),
    pytest.param([b"X-Scheme: http", b"Forwarded: for=6.6.6.6"], [], id="claims Jupyter prefers"),
    pytest.param([b"X_Forwarded_For: 6.6.6.6", b"X_Real_IP: 6.6.6.6"], [], id="underscores"),
    pytest.param(
        [b"Transfer_Encoding: chunked", b"Content_Length: 4", b"Cookie_: a", b"X_XSRFToken: b"],
        [b"Cookie_: a"],
        id="others read hyphens",
    ),
    pytest.param([b"Content-Length: 010"], [b"Content-Length: 10"], id="leading zeros"),
    pytest.param(
        [b"A: 1", b"range: bytes=9-", b'if-range: "labgate-0-br"'],
        [b"A: 1"],
        id="the rest of what labgate has compressed",
    ),
    pytest.param([b"Range: bytes=9-", b'If-Range: W/"a"'], [], id="the rest by a weak tag"),
    pytest.param(
        [b"Range: bytes=9-", b'If-Range: "a"'],
        [b"Range: bytes=9-", b'If-Range: "a"'],
        id="the rest of what Jupyter has sent",
    ),
    pytest.param([b"Range: bytes=9-"], [b"Range: bytes=9-"], id="a range"),
    pytest.param(
        [b"Connection: Expect", b"Expect: 100-continue"],
        [b"Expect: 100-continue"],
        id="Connection cannot strip an expectation",
    ),
    pytest.param([b"My_Field: 1"], [b"My_Field: 1"], id="an honest underscore"),
    pytest.param([b"Connection: keep-alive", b"Keep-Alive: 5"], [], id="hop-by-hop"),
    pytest.param([b"TE: trailers", b"Proxy-Connection: x", b"Trailer: y"], [], id="unlisted"),
    pytest.param([b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings"], [], id="h2c"),
    pytest.param([b"Connection: close, X-Mine", b"X-Mine: 1"], [], id="named in Connection"),
    pytest.param([b"Connection: close,X-Mine", b"X-Mine: 1"], [], id="without a space"),
    pytest.param(
        [b"Connection: Host, Cookie, Origin, X-Forwarded-For", b"Cookie: a=b"],
        [b"Cookie: a=b"],
        id="Connection cannot strip what security rests on",
    ),
    pytest.param([b"Expect: 100-continue"], [b"Expect: 100-continue"], id="Expect"),
    pytest.param([b"Cookie: a=b; c=d"], [b"Cookie: a=b; c=d"], id="Cookie"),
    pytest.param([b"X-XSRFToken: t"], [b"X-XSRFToken: t"], id="XSRF token"),
]


@pytest.mark.parametrize(("lines", "expected"), CASES)
def test_upstream_fields(lines: list[bytes], expected: list[bytes]) -> None:
    result = upstream_fields(get(HOST, *lines), SITE)
    assert result == [*fields(UP, *expected), *SAID]


AT_80 = WebOrigin("http", "jupyter", 80)
AT_6 = WebOrigin("http", "::1", 8888)

REFERERS = [
    (JUPYTER, False, b"http://127.0.0.1:8888/", False),
    (JUPYTER, False, b"http://127.0.0.1:8888", False),
    (JUPYTER, False, b"HTTPS://127.0.0.1:8888/lab?x#y", False),
    (JUPYTER, False, b"//127.0.0.1:8888/", False),
    (JUPYTER, False, b"x://127.0.0.1:8888?", False),
    (JUPYTER, False, b"http://eve:x@127.0.0.1:8888/", False),
    (JUPYTER, False, b"http://127.0.0.1:08888/", False),
    (JUPYTER, False, b"http://127.0.\t0.1:8888/", False),
    (JUPYTER, False, b"http://127.0.0.1:88/", True),
    (JUPYTER, False, b"http://127.0.0.1/", True),
    (JUPYTER, False, b"http://evil.example/127.0.0.1:8888", True),
    (JUPYTER, False, b"http://127.0.0.1:8888@evil.example/", True),
    (JUPYTER, False, b"http://[127.0.0.1:8888/", True),
    (JUPYTER, False, b"http://127.0.0.1:x/", True),
    (JUPYTER, False, b"127.0.0.1:8888", True),
    (JUPYTER, False, b"", True),
    (JUPYTER, False, b"http://lab.example.org/", True),
    (AT_80, False, b"http://JUPYTER/", False),
    (AT_80, False, b"http://jupyter:/", False),
    (AT_80, False, b"http://jupyter:80/", False),
    (AT_80, False, b"http://jupyter:443/", True),
    (AT_6, False, b"http://[::1]:8888/", False),
    (AT_6, False, b"http://[::1]/", True),
    # Jupyter is given the public Host, and does not look at the scheme.
    (JUPYTER, True, b"https://lab.example.org/", True),
    (JUPYTER, True, b"http://lab.example.org/", False),
    (JUPYTER, True, b"http://LAB.example.org:443/", False),
    (JUPYTER, True, b"https://eve@lab.example.org/", False),
    (JUPYTER, True, b"https://lab.example.org:8443/", True),
    (JUPYTER, True, b"http://127.0.0.1:8888/", False),
]


@pytest.mark.parametrize(("upstream", "preserve", "referer", "kept"), REFERERS)
def test_a_referer_that_names_jupyter_does_not_go_up(
    upstream: WebOrigin, preserve: bool, referer: bytes, kept: bool
) -> None:
    site = make_site((LAB,), upstream, preserve=preserve)
    changes: list[Change] = []
    up = upstream_fields(get(HOST, b"Referer: " + referer), site, changes=changes)
    assert [value for name, value in up if name == b"Referer"] == [referer] * kept
    noted = [change for change in changes if change.rule == "referer"]
    assert noted == [Change("referer", b"Referer", referer, None)] * (not kept)


def test_chunked_content_is_announced_anew() -> None:
    head = get(HOST, b"Transfer-Encoding: chunked", method=b"POST")
    assert upstream_fields(head, SITE)[-1] == (b"Transfer-Encoding", b"chunked")


def test_a_websocket_gets_its_upgrade_back() -> None:
    head = get(HOST, b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: k")
    result = upstream_fields(head, SITE, websocket=True)
    assert result[1] == (b"Sec-WebSocket-Key", b"k")
    assert result[-2:] == list(fields(b"Connection: Upgrade", b"Upgrade: websocket"))


def test_a_probe_without_a_host_gets_an_empty_one() -> None:
    """As of labgate's own health, which is asked by address."""
    sent = dict(upstream_fields(get(), SITE.for_web_app()))
    assert (sent[b"Host"], sent[b"X-Forwarded-Host"]) == (b"", b"")


def test_the_scheme_that_the_client_used_is_told() -> None:
    site = make_site((LAB._replace(scheme="http", port=80),), JUPYTER)
    assert dict(upstream_fields(get(HOST), site))[b"X-Forwarded-Proto"] == b"http"


def test_a_peer_that_is_no_text_of_a_field_breaks_nothing() -> None:
    head = replace(get(HOST), arrival=Arrival("é"))
    assert dict(upstream_fields(head, SITE))[b"X-Real-IP"] == b"?"


def test_an_existing_via_is_continued() -> None:
    result = upstream_fields(get(HOST, b"Via: 1.0 a", b"via: 1.1 b"), SITE)
    assert [value for name, value in result if name.lower() == b"via"] == [
        b"1.0 a, 1.1 b, 1.1 labgate"
    ]


def test_preserve_passes_names_through() -> None:
    site = make_site((LAB,), JUPYTER, preserve=True)
    lines = (HOST, b"Origin: https://lab.example.org", b"Referer: https://lab.example.org/x")
    assert upstream_fields(get(*lines), site)[:3] == list(fields(*lines))


def test_every_change_is_noted_with_its_rule() -> None:
    changes: list[Change] = []
    head = get(HOST, b"Origin: https://lab.example.org", b"TE: x", b"X-Real-IP: 6.6.6.6")
    upstream_fields(head, SITE, changes=changes)
    assert changes[:4] == [
        Change("origin", b"Origin", b"https://lab.example.org", b"http://127.0.0.1:8888"),
        Change("hop-by-hop", b"TE", b"x", None),
        Change("client-claims", b"X-Real-IP", b"6.6.6.6", None),
        Change("host", b"Host", b"lab.example.org", b"127.0.0.1:8888"),
    ]
    assert {change.rule for change in changes[4:]} == {"forwarded", "via"}


def test_the_rest_is_not_asked_for_by_date_where_the_beginning_may_have_been_compressed() -> None:
    site = replace(SITE, compressible=(b"/static/",))
    day = b"Sun, 06 Nov 1994 08:49:37 GMT"
    lines = (b"Range: bytes=9-", b"If-Range: " + day)
    script, download = (get(HOST, *lines, target=path) for path in (b"/static/a.js", b"/files/a"))
    changes: list[Change] = []
    assert upstream_fields(script, site, changes=changes) == [*fields(UP), *SAID]
    assert changes[:2] == [
        Change("if-range", b"Range", b"bytes=9-", None),
        Change("if-range", b"If-Range", day, None),
    ]
    assert upstream_fields(download, site) == [*fields(UP, *lines), *SAID]
    assert fields_depend_on_target(script)
    assert not fields_depend_on_target(get(HOST, lines[0]))


NAMES = st.sampled_from(
    [
        b"Connection",
        b"X-Forwarded-For",
        b"Cookie",
        b"Origin",
        b"X-A",
        b"x-a",
        b"TE",
        b"Via",
        b"X_Real_IP",
    ]
)
VALUES = st.sampled_from(
    [b"", b"close", b"Host, X-A", b"x-forwarded-for", b"https://lab.example.org", b"1"]
)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=12))
def test_whatever_comes_in(extra: list[Field]) -> None:
    head = get(HOST)
    head = RequestHead(head.method, head.target, head.version, (*head.fields, *extra), head.arrival)
    result = upstream_fields(head, SITE)
    names = [name.lower() for name, _ in result]
    assert names.count(b"host") == names.count(b"x-forwarded-for") == names.count(b"x-real-ip") == 1
    assert dict(result)[b"X-Forwarded-For"] == b"203.0.113.7"
    assert not {b"connection", b"te", b"keep-alive"} & set(names)
    kept = [field for field in extra if field[0] == b"Cookie"]
    assert [field for field in result if field[0] == b"Cookie"] == kept


def test_replaced_fields_are_not_read_from_those_before() -> None:
    head = get(HOST, b"Cookie: a=b")
    assert head.values(b"cookie") == (b"a=b",)
    other = replace(head, fields=fields(HOST))
    assert other.values(b"cookie") == ()
    assert b"Cookie" not in dict(upstream_fields(other, SITE))


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"Host: evil.example:8080", b"Origin: http://evil.example:8080"], id="Host"),
        pytest.param([HOST, b"Origin: https://evil.example"], id="Origin"),
        pytest.param([HOST, b"Referer: https://evil.example/x"], id="Referer"),
        pytest.param([HOST, b"Origin: https://lab.example.org"], id="our own"),
    ],
)
def test_what_would_be_refused_goes_up_as_it_came(lines: list[bytes]) -> None:
    head = RequestHead(b"GET", b"/", (1, 1), fields(*lines), Arrival("203.0.113.7"))
    up = dict(upstream_fields(head, SITE.unmodified()))
    assert [(name, up[name]) for name, _ in head.fields] == list(head.fields)


@pytest.mark.parametrize("line", [b"Via: %b", b"%b: value"])
def test_what_a_client_sends_at_length_is_not_kept(line: bytes) -> None:
    assert keeps_no_long_values(lambda value: upstream_fields(get(HOST, line % value), SITE))


def test_a_long_name_and_a_long_via_go_up_like_short_ones() -> None:
    name, hop = b"X-" + b"n" * 300, b"1.1 " + b"v" * 600
    up = upstream_fields(get(HOST, name + b": 1", b"Via: " + hop), SITE)
    assert (name, b"1") in up
    assert up[-1] == (b"Via", hop + b", 1.1 labgate")
