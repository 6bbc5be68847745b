"""Which responses are compressed: a list of what is, and BREACH is why it is not the other way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.rules.compression import (
    MAX_ACCEPT_ENCODING_BYTES,
    MIN_BYTES,
    CompressedHead,
    accepted_coding,
    compressed_head,
    compressible_folders,
    is_sized,
    media_type,
    no_transform,
    preferred,
    shrinks,
)
from proxy.rules.head import ResponseHead
from tests.heads import answered, get
from tests.retained_memory import keeps_no_long_values

BROWSER = b"Accept-Encoding: gzip, deflate, br, zstd"
OWN_PAGE = (b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Mode: cors", b"Sec-Fetch-Dest: empty")
LONG = b"Content-Length: %d" % MIN_BYTES
SCRIPT = b"Content-Type: text/javascript; charset=utf-8"
JSON = b"Content-Type: application/json"

ACCEPTED = [
    pytest.param((b"gzip, deflate, br, zstd",), b"zstd", id="a browser over TLS"),
    pytest.param((b"gzip, deflate",), b"gzip", id="a browser over plain HTTP"),
    pytest.param((b"gzip, deflate, br",), b"br", id="an older browser"),
    pytest.param((b"gzip", b"br"), b"br", id="two fields"),
    pytest.param((b"GZIP",), b"gzip", id="another case"),
    pytest.param((), None, id="no field"),
    pytest.param((b"",), None, id="an empty field: nothing but the content as it is"),
    pytest.param((b"identity",), None, id="identity"),
    pytest.param((b"deflate, compress",), None, id="codings of no use"),
    pytest.param((b"br;q=0.5, gzip;q=0.8",), b"gzip", id="weights"),
    pytest.param((b"br ; q=0.5 , gzip ; q=0.5",), b"br", id="equal weights, and spaces"),
    pytest.param((b"zstd;q=0, br;q=0, gzip",), b"gzip", id="some are not acceptable"),
    pytest.param((b"gzip;q=0",), None, id="the only one is not acceptable"),
    pytest.param((b"*",), b"zstd", id="anything"),
    pytest.param((b"*;q=0",), None, id="nothing"),
    pytest.param((b"zstd;q=0, *",), b"br", id="anything but"),
    pytest.param((b"identity, gzip;q=0.5",), None, id="rather as it is"),
    pytest.param((b"identity;q=0.5, gzip;q=0.5",), b"gzip", id="as gladly compressed"),
    pytest.param((b"identity;q=0, gzip",), b"gzip", id="by no means as it is"),
    pytest.param((b"identity;q=0",), None, id="by no means as it is, and nothing that is known"),
    pytest.param((b"gzip;q=2",), None, id="a weight above 1"),
    pytest.param((b"gzip;q=0.0001",), None, id="a weight of four decimals"),
    pytest.param((b"gzip;q=x",), None, id="no weight"),
    pytest.param((b"gzip;q=1.000",), b"gzip", id="the weight 1"),
    pytest.param((b"gzip;level=9",), b"gzip", id="an unknown parameter"),
    pytest.param((b"x-gzip",), None, id="an alias nobody sends"),
    pytest.param((b"gzip;q=1, identity",), b"gzip", id="no weight is the weight 1"),
    pytest.param((b"gzip;q=1.5, identity;q=1.9",), b"gzip", id="no weight is above 1"),
    pytest.param((b"gzip;q=1=0",), None, id="two equals signs"),
    pytest.param((b"gzip;q=0.999",), b"gzip", id="a weight of three decimals"),
]


@pytest.mark.parametrize(("values", "coding"), ACCEPTED)
def test_the_coding_is_the_one_that_the_client_prefers(
    values: tuple[bytes, ...], coding: bytes | None
) -> None:
    assert accepted_coding(values) == coding


PREFERRED = [
    pytest.param((b"br",), BROWSER, b"br", id="another would be better"),
    pytest.param((b"br",), b"Accept-Encoding: gzip, BR;q=0.001", b"br", id="any weight"),
    pytest.param((b"br",), b"Accept-Encoding: gzip, br;q=0", None, id="the weight 0"),
    pytest.param((b"br",), b"Accept-Encoding: *", None, id="anything"),
    pytest.param((b"br", b"gzip"), b"X: y", None, id="no field"),
    pytest.param((b"br", b"gzip"), BROWSER, b"br", id="the first of equal weight"),
    pytest.param((b"br", b"gzip"), b"Accept-Encoding: br;q=0.5, gzip", b"gzip", id="weights"),
    pytest.param((b"br", b"gzip"), b"Accept-Encoding: gzip, deflate", b"gzip", id="plain HTTP"),
    pytest.param((b"",), b"X: y", b"", id="as it is"),
    pytest.param((b"",), b"Accept-Encoding: br", b"", id="as it is, though it need not be"),
    pytest.param((), BROWSER, None, id="there is none"),
]


@pytest.mark.parametrize(("codings", "line", "coding"), PREFERRED)
def test_the_client_prefers_one_of_those_that_there_are(
    codings: tuple[bytes, ...], line: bytes, coding: bytes | None
) -> None:
    assert preferred(codings, get(line)) == coding


def decided(
    *lines: bytes,
    target: bytes = b"/static/lab/main.js",
    request: tuple[bytes, ...] = (BROWSER, *OWN_PAGE),
    status: int = 200,
    method: bytes = b"GET",
    base_path: str = "/",
) -> CompressedHead:
    head = get(*request, target=target, method=method)
    response: ResponseHead = answered(*lines, status=status)
    return compressed_head(head, response, list(response.fields), base_path)


STATIC = [
    pytest.param(b"/static/lab/jlab_core.8811dd2733d03721.js?v=8811dd2733d03721", "/", id="Lab"),
    pytest.param(b"/static/notebook/main.js", "/", id="Notebook"),
    pytest.param(b"/lab/extensions/@jupyter-widgets/x/static/1.js", "/", id="an extension"),
    pytest.param(b"/nbextensions/widgets/extension.js", "/", id="a classic extension"),
    pytest.param(b"/kernelspecs/python3/logo-svg.svg", "/", id="a kernel's logo"),
    pytest.param(b"/user/me/static/lab/main.js", "/user/me/", id="behind a hub"),
]


@pytest.mark.parametrize(("target", "base_path"), STATIC)
def test_static_files_are_compressed_for_everybody(target: bytes, base_path: str) -> None:
    head = decided(SCRIPT, LONG, target=target, request=(BROWSER,), base_path=base_path)
    assert head.coding == b"zstd"
    assert target.startswith(compressible_folders(base_path))


APIS = [
    pytest.param(b"/api/contents/a%20b.ipynb?content=1", id="a notebook"),
    pytest.param(b"/api/contents", id="the top folder"),
    pytest.param(b"/lab/api/settings?1712", id="settings"),
    pytest.param(b"/lab/api/translations/de_DE", id="a language"),
    pytest.param(b"/api/kernelspecs?1", id="kernels to choose from"),
    pytest.param(b"/lsp/status?1", id="language servers"),
]


@pytest.mark.parametrize("target", APIS)
def test_json_is_compressed_for_jupyters_own_page(target: bytes) -> None:
    assert decided(JSON, LONG, target=target).coding == b"zstd"
    assert target.startswith(compressible_folders("/"))


STRANGERS = [
    pytest.param((), id="who does not say who asks"),
    pytest.param((b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: cors"), id="another site"),
    pytest.param((b"Sec-Fetch-Site: same-site", b"Sec-Fetch-Mode: cors"), id="a sibling"),
    pytest.param((b"Sec-Fetch-Site: none", b"Sec-Fetch-Mode: navigate"), id="the address bar"),
    pytest.param((b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Mode: navigate"), id="a link"),
    pytest.param((b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Mode: no-cors"), id="an image"),
    pytest.param((b"Sec-Fetch-Site: same-origin",), id="without a mode"),
    pytest.param((*OWN_PAGE, b"Sec-Fetch-Site: same-origin"), id="twice"),
]


@pytest.mark.parametrize("lines", STRANGERS)
@pytest.mark.parametrize("target", [b"/api/contents/x", b"/lab/api/settings"])
def test_json_goes_as_it_is_to_whom_a_stranger_may_have_sent(
    target: bytes, lines: tuple[bytes, ...]
) -> None:
    head = decided(JSON, LONG, target=target, request=(BROWSER, *lines))
    assert head == (None, list(answered(JSON, LONG).fields)), "and nothing varies"


SECRETS = [
    pytest.param(b"/lab", b"text/html", id="the page: token, _xsrf and parts of the target"),
    pytest.param(b"/lab/workspaces/x", b"text/html", id="a page that names what was asked"),
    pytest.param(b"/tree", b"text/html", id="the page of Notebook"),
    pytest.param(b"/login?next=/x", b"text/html", id="the login: _xsrf and the address"),
    pytest.param(b"/static/../lab", b"text/html", id="the page, in other words"),
    pytest.param(b"/static/../api/me", b"application/json", id="an API, in other words"),
    pytest.param(b"/static/x.html", b"text/html", id="a page among the files"),
    pytest.param(b"/api/contents/x", b"text/html", id="an error page of an API"),
    pytest.param(b"/api/contents/x", b"text/plain", id="an API with something else"),
    pytest.param(b"/api/me", b"application/json", id="who is logged in"),
    pytest.param(b"/api/sessions", b"application/json", id="sessions"),
    pytest.param(b"/api/status", b"application/json", id="the state"),
    pytest.param(b"/api/events", b"application/json", id="events"),
    pytest.param(b"/files/data.csv", b"text/csv", id="a download"),
    pytest.param(b"/files/data.json", b"application/json", id="a download of JSON"),
    pytest.param(b"/proxy/8000/static/x.js", b"text/javascript", id="another application"),
    pytest.param(b"/hub/static/x.js", b"text/javascript", id="outside base_url"),
    pytest.param(b"/", b"text/plain", id="the top"),
]


@pytest.mark.parametrize(("target", "media"), SECRETS)
def test_what_may_hold_a_secret_goes_as_it_is(target: bytes, media: bytes) -> None:
    lines = (b"Content-Type: " + media, LONG)
    assert decided(*lines, target=target) == (None, list(answered(*lines).fields))


AS_IT_IS = [
    pytest.param((SCRIPT, b"Content-Length: %d" % (MIN_BYTES - 1)), id="small"),
    pytest.param((SCRIPT, LONG, b"Content-Encoding: gzip"), id="compressed by Jupyter"),
    pytest.param((SCRIPT, LONG, b"Cache-Control: max-age=1, No-Transform"), id="no-transform"),
    pytest.param((SCRIPT, LONG, b"Content-Range: bytes 0-9/99"), id="a range with a wrong status"),
    pytest.param((b"Content-Type: image/png", LONG), id="an image"),
    pytest.param((b"Content-Type: font/woff2", LONG), id="a font that is compressed"),
    pytest.param((b"Content-Type: text/event-stream",), id="an event stream"),
    pytest.param((b"Content-Type: application/octet-stream", LONG), id="anything"),
    pytest.param((LONG,), id="no type"),
    pytest.param((SCRIPT, SCRIPT, LONG), id="two types"),
]


@pytest.mark.parametrize("lines", AS_IT_IS)
def test_static_content_that_goes_as_it_is(lines: tuple[bytes, ...]) -> None:
    assert decided(*lines) == (None, list(answered(*lines).fields))


@pytest.mark.parametrize("accept", [(BROWSER,), ()])
def test_a_client_may_forbid_to_change_the_content(accept: tuple[bytes, ...]) -> None:
    """RFC 9111 section 5.2.1.6; a cache must ask again for others all the same."""
    asked = (*accept, b"Cache-Control: no-transform")
    plain = answered(SCRIPT, LONG, b"Vary: Accept-Encoding")
    assert decided(SCRIPT, LONG, request=asked) == (None, list(plain.fields))


@pytest.mark.parametrize("status", [201, 203, 204, 206, 301, 404, 500])
def test_other_statuses_go_as_they_are(status: int) -> None:
    lines = (SCRIPT, LONG)
    assert decided(*lines, status=status) == (None, list(answered(*lines).fields))


def test_the_response_to_a_post_goes_as_it_is() -> None:
    assert decided(JSON, LONG, target=b"/api/contents", method=b"POST").coding is None


def test_the_head_that_is_sent() -> None:
    head = decided(
        SCRIPT,
        LONG,
        b'ETag: "a"',
        b"Accept-Ranges: bytes",
        b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
    )
    assert head.fields == list(
        answered(
            SCRIPT,
            b'ETag: W/"a"',
            b"Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT",
            b"Content-Encoding: zstd",
            b"Accept-Ranges: none",
            b"Vary: Accept-Encoding",
        ).fields
    )
    assert not is_sized(head.fields)


def test_digests_of_the_content_are_left_out() -> None:
    digests = (b"Content-Digest: x", b"Repr-Digest: x", b"Digest: sha-256=x")
    lines = (b"Content-MD5: x", *digests, SCRIPT)
    assert {name for name, _ in decided(*lines).fields} == {
        *(b"Content-Type", b"Content-Encoding", b"Accept-Ranges", b"Vary")
    }


def test_what_is_sized_and_what_shrinks() -> None:
    assert is_sized([(b"A", b"b"), (b"Content-Length", b"1")])
    assert not is_sized([(b"Content-Type", b"a/b")])
    assert shrinks(b"text/css")
    assert not shrinks(b"image/png")


@pytest.mark.parametrize(
    ("values", "forbidden"),
    [
        ((), False),
        ((b"max-age=1,no-transform",), True),
        ((b"max-age=1", b"No-Transform"), True),
        ((b"max-age=1, no-transformer",), False),
    ],
)
def test_who_forbids_to_change_the_content(values: tuple[bytes, ...], forbidden: bool) -> None:
    assert no_transform(values) is forbidden


@pytest.mark.parametrize(
    ("lines", "media"),
    [
        ((), b""),
        ((SCRIPT, SCRIPT), b""),
        ((SCRIPT,), b"text/javascript"),
        ((b"Content-Type: Text/CSS ;x=y",), b"text/css"),
    ],
)
def test_the_media_type(lines: tuple[bytes, ...], media: bytes) -> None:
    assert media_type(answered(*lines)) == media


@pytest.mark.parametrize("mode", [b"cors", b"same-origin"])
def test_jupyters_own_page_asks_in_two_modes(mode: bytes) -> None:
    lines = (BROWSER, b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Mode: " + mode)
    assert decided(JSON, LONG, target=b"/api/contents", request=lines).coding == b"zstd"


def test_a_weak_etag_stays() -> None:
    assert (b"ETag", b'W/"a"') in decided(SCRIPT, b'ETag: W/"a"').fields


def test_the_response_to_head_says_the_same() -> None:
    assert decided(SCRIPT, LONG, method=b"HEAD") == decided(SCRIPT, LONG)


def test_content_of_unknown_length_is_compressed() -> None:
    assert decided(SCRIPT).coding == b"zstd"


VARY = [
    pytest.param((), [b"Accept-Encoding"], id="none"),
    pytest.param((b"Vary: Origin",), [b"Origin", b"Accept-Encoding"], id="another"),
    pytest.param((b"Vary: origin, accept-encoding",), [b"origin, accept-encoding"], id="this one"),
    pytest.param((b"Vary: *",), [b"*"], id="everything"),
    pytest.param((b"Vary: a,accept-encoding",), [b"a,accept-encoding"], id="without a space"),
]


@pytest.mark.parametrize(("lines", "values"), VARY)
@pytest.mark.parametrize("accepts", [(BROWSER,), ()])
def test_a_cache_learns_that_there_are_two(
    lines: tuple[bytes, ...], values: list[bytes], accepts: tuple[bytes, ...]
) -> None:
    """Also from the response to somebody who takes it as it is."""
    head = decided(SCRIPT, LONG, *lines, request=accepts)
    assert [value for name, value in head.fields if name == b"Vary"] == values
    assert (head.coding is None) == (not accepts)


COMPARED = [
    pytest.param(b'If-None-Match: W/"a"', b'W/"a"', id="the client has it compressed"),
    pytest.param(b'If-None-Match: "b", W/"a"', b'W/"a"', id="among others"),
    pytest.param(b'If-None-Match: "a"', b'"a"', id="the client has it as it is"),
]


@pytest.mark.parametrize(("line", "etag"), COMPARED)
def test_a_304_names_what_the_client_has(line: bytes, etag: bytes) -> None:
    head = decided(b'Etag: "a"', status=304, request=(BROWSER, line))
    assert head == (None, [(b"Etag", etag), (b"Vary", b"Accept-Encoding")])


UNCHANGED = [
    pytest.param(b"/static/lab/main.js", (), True, id="a static file"),
    pytest.param(b"/api/contents/a.ipynb", OWN_PAGE, True, id="a notebook"),
    pytest.param(b"/api/contents/a.ipynb", (), False, id="a notebook for somebody else"),
    pytest.param(b"/files/a.ipynb", OWN_PAGE, False, id="a download"),
]


@pytest.mark.parametrize(("target", "lines", "varies"), UNCHANGED)
def test_a_304_varies_as_the_200_does(
    target: bytes, lines: tuple[bytes, ...], varies: bool
) -> None:
    """RFC 9110 section 15.4.5."""
    head = decided(b"A: b", status=304, target=target, request=(BROWSER, *lines))
    assert ((b"Vary", b"Accept-Encoding") in head.fields) is varies


@pytest.mark.parametrize("extra", [0, 1])
def test_a_field_that_no_browser_sends_is_not_read(extra: int) -> None:
    values = (b"br", b"x" * (MAX_ACCEPT_ENCODING_BYTES - 2 + extra))
    expected = None if extra else b"br"
    assert accepted_coding(values) == expected
    request = get(*(b"Accept-Encoding: " + value for value in values))
    assert preferred([b"br"], request) == expected
    assert preferred([b"br", b""], request) == (b"" if extra else b"br")


@pytest.mark.parametrize(
    "use",
    [
        lambda value: accepted_coding((value,)),
        lambda value: preferred([b"br"], get(b"Accept-Encoding: " + value)),
    ],
)
def test_what_a_client_sends_at_length_is_not_kept(use: Callable[[bytes], object]) -> None:
    assert keeps_no_long_values(use)
