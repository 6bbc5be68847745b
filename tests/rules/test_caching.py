"""Which responses are kept, and what is answered from them; tests/cache has them on sockets."""

from __future__ import annotations

import hashlib

import pytest

from proxy.rules.caching import (
    MAX_CACHED_FILE_BYTES,
    fields_of_304,
    has_content_hash,
    head_bytes,
    is_not_modified,
    is_page,
    is_script,
    is_version_of,
    kept_fields,
    may_answer,
    may_be_compressed,
    may_be_kept,
    validators_of,
)
from proxy.rules.compression import MIN_BYTES
from tests.heads import answered, fields, get

IMMUTABLE = b"Cache-Control: public, max-age=31536000, immutable"
SCRIPT = (b"Content-Type: text/javascript", b"Content-Length: 2000")
FILE = b"/static/lab/main.js"

KEPT = [
    pytest.param(FILE, (IMMUTABLE,), id="immutable"),
    pytest.param(FILE + b"?v=00ff", (IMMUTABLE,), id="immutable, with a version"),
    pytest.param(FILE + b"?v=00ff", (b"Cache-Control: max-age=315360000",), id="a version alone"),
    pytest.param(FILE + b"?v=1", (b"Cache-Control: max-age=86400",), id="a version, for a day"),
    pytest.param(FILE, (b"Cache-Control: Immutable", b"Cache-Control: max-age=99999"), id="two"),
    pytest.param(FILE, (IMMUTABLE, b'ETag: "a"', b"Expires: x"), id="with validators"),
    pytest.param(b"/lab/extensions/x/static/style.js", (IMMUTABLE,), id="an extension"),
    pytest.param(b"/lab/extensions/@x/y/static/1.js", (IMMUTABLE,), id="a scoped extension"),
]
NOT_KEPT = [
    pytest.param(FILE, (), id="says nothing"),
    pytest.param(FILE, (b"Cache-Control: no-cache",), id="may change"),
    pytest.param(FILE, (b"Cache-Control: public, max-age=315360000",), id="no version"),
    pytest.param(FILE + b"?v=1", (b"Cache-Control: max-age=86399",), id="a version, a short life"),
    pytest.param(FILE + b"?v=1", (b"Cache-Control: max-age=x",), id="a version, no life"),
    pytest.param(FILE, (IMMUTABLE + b", no-store",), id="no-store"),
    pytest.param(FILE, (IMMUTABLE + b", private",), id="private"),
    pytest.param(FILE, (IMMUTABLE + b", no-cache",), id="no-cache"),
    pytest.param(FILE, (IMMUTABLE, b"Cache-Control: private"), id="private in another field"),
    pytest.param(FILE, (IMMUTABLE + b', private="x-a, x-b"',), id="two fields are private"),
    pytest.param(FILE, (IMMUTABLE + b', no-cache="x-a"',), id="a field may change"),
    pytest.param(FILE, (IMMUTABLE + b", s-maxage=0",), id="of no life in shared caches"),
    pytest.param(FILE, (IMMUTABLE, b"Age: 0"), id="from another cache"),
    pytest.param(FILE, (IMMUTABLE, b"Cache-Control: max-age=1"), id="two lives"),
    pytest.param(FILE, (IMMUTABLE, b"Set-Cookie: a=b"), id="a cookie"),
    pytest.param(FILE, (IMMUTABLE, b"Vary: Cookie"), id="varies"),
    pytest.param(FILE, (IMMUTABLE, b"Content-Encoding: gzip"), id="compressed"),
    pytest.param(FILE, (IMMUTABLE, b"Content-Range: bytes 0-1/2"), id="a part"),
    pytest.param(FILE, (IMMUTABLE, b"WWW-Authenticate: x"), id="a login"),
    pytest.param(FILE + b"?token=a", (IMMUTABLE,), id="another query"),
    pytest.param(FILE + b"?v=1&token=a", (IMMUTABLE,), id="a version and more"),
    pytest.param(FILE + b"?v=xyz", (IMMUTABLE,), id="no version"),
    pytest.param(FILE + b"?v=" + b"0" * 129, (IMMUTABLE,), id="too long a version"),
    pytest.param(b"/static/%6cab/main.js", (IMMUTABLE,), id="in other octets"),
    pytest.param(b"/static//lab/main.js", (IMMUTABLE,), id="an empty segment"),
    pytest.param(b"/static/lab/main.js/", (IMMUTABLE,), id="an empty segment at the end"),
    pytest.param(b"/static/./lab/main.js", (IMMUTABLE,), id="a dot segment"),
    pytest.param(b"/static/.hidden.js", (IMMUTABLE,), id="a hidden file"),
    pytest.param(b"/static/../api/me", (IMMUTABLE,), id="another folder"),
    pytest.param(b"/api/contents/x", (IMMUTABLE,), id="an API"),
    pytest.param(b"/files/x.js", (IMMUTABLE,), id="a user's file"),
    pytest.param(b"/lab", (IMMUTABLE,), id="the page"),
    pytest.param(b"/proxy/80/static/x.js", (IMMUTABLE,), id="another application"),
]


@pytest.mark.parametrize(("target", "lines"), KEPT)
def test_what_is_kept(target: bytes, lines: tuple[bytes, ...]) -> None:
    assert may_be_kept(target, answered(*SCRIPT, *lines), "/")
    assert may_be_kept(b"/user/me" + target, answered(*SCRIPT, *lines), "/user/me/")
    assert not may_be_kept(target, answered(*SCRIPT, *lines), "/user/me/")


@pytest.mark.parametrize(("target", "lines"), NOT_KEPT)
def test_what_is_not_kept(target: bytes, lines: tuple[bytes, ...]) -> None:
    assert not may_be_kept(target, answered(*SCRIPT, *lines), "/")


def test_a_base_path_is_what_it_is() -> None:
    """A JupyterHub user's name may have an @ or begin with a dot."""
    for base_path in ("/user/ada%40example.org/", "/user/.ada/"):
        target = base_path.encode() + FILE[1:]
        assert may_be_kept(target, answered(*SCRIPT, IMMUTABLE), base_path)
        assert not may_be_kept(target + b"/", answered(*SCRIPT, IMMUTABLE), base_path)


CONTENT = [
    pytest.param(200, b"text/css", b"1", True, id="small"),
    pytest.param(200, b"text/css", b"%d" % MAX_CACHED_FILE_BYTES, True, id="as large as may be"),
    pytest.param(200, b"text/css", b"%d" % (MAX_CACHED_FILE_BYTES + 1), False, id="too large"),
    pytest.param(200, b"text/css", b"0", False, id="nothing"),
    pytest.param(200, b"text/html", b"9", False, id="a page"),
    pytest.param(203, b"text/css", b"9", False, id="changed by somebody"),
    pytest.param(404, b"text/css", b"9", False, id="not found"),
]


@pytest.mark.parametrize(("status", "media", "length", "kept"), CONTENT)
def test_which_content_is_kept(status: int, media: bytes, length: bytes, kept: bool) -> None:
    lines = (b"Content-Type: " + media, b"Content-Length: " + length, IMMUTABLE)
    assert may_be_kept(FILE, answered(*lines, status=status), "/") is kept


def test_content_of_unknown_length_or_type_is_not_kept() -> None:
    assert not may_be_kept(FILE, answered(SCRIPT[0], IMMUTABLE), "/")
    assert not may_be_kept(FILE, answered(SCRIPT[1], IMMUTABLE), "/")


LONG = b"Content-Length: %d" % MIN_BYTES
COMPRESSED = [
    pytest.param((SCRIPT[0], LONG, IMMUTABLE), True, id="a script"),
    pytest.param((b"Content-Type: Text/CSS ;a=b", LONG, IMMUTABLE), True, id="a style"),
    pytest.param((b"Content-Type: font/woff2", LONG, IMMUTABLE), False, id="a font"),
    pytest.param((SCRIPT[0], b"Content-Length: %d" % (MIN_BYTES - 1)), False, id="small"),
    pytest.param((SCRIPT[0], LONG, IMMUTABLE + b", No-Transform"), False, id="no-transform"),
    pytest.param((SCRIPT[0], LONG, IMMUTABLE, b"Cache-Control: no-transform"), False, id="two"),
]


@pytest.mark.parametrize(("lines", "compressed"), COMPRESSED)
def test_what_is_kept_compressed(lines: tuple[bytes, ...], compressed: bool) -> None:
    assert may_be_compressed(validators_of(answered(*lines))) is compressed


HASHED = [
    (b"/static/lab/main.efd36b46f3b45eb8.js", True),
    (b"/static/lab/cd7322bf5a6e6fcf.svg", True),
    (b"/lab/extensions/x/static/remoteEntry.5cbb9d2323598fbda535.js", True),
    (b"/static/base/js/main.min.js?v=8811dd2733d03721", True),
    (b"/static/lab/bootstrap.js", False),
    (b"/static/lab/bootstrap.js?v=1", False),
    (b"/lab/extensions/x/static/style.js", False),
    (b"/static/deadbeef/style.js", False),
    (b"/static/lab/efd36b46f3b45eb8/style.js", False),
]


@pytest.mark.parametrize(("target", "hashed"), HASHED)
def test_names_with_a_hash_of_the_content(target: bytes, hashed: bool) -> None:
    assert has_content_hash(target) is hashed


CONTENT_OF_FILE = b"body { margin: 0 }"
SHA_512 = hashlib.sha512(CONTENT_OF_FILE).hexdigest().encode()
NAMED = b"/static/lab/main.efd36b46f3b45eb8.js"
VERSIONS = [
    pytest.param(FILE, True, id="no query"),
    pytest.param(NAMED, True, id="no query, and a hash in the name"),
    pytest.param(NAMED + b"?v=efd36b46f3b45eb8", True, id="Webpack repeats the hash of the name"),
    pytest.param(NAMED + b"?v=efd36b46f3b45eb9", False, id="another hash than the name's"),
    pytest.param(FILE + b"?v=" + SHA_512, True, id="tornado takes the SHA-512"),
    pytest.param(FILE + b"?v=" + SHA_512.upper(), True, id="the SHA-512 in capitals"),
    pytest.param(NAMED + b"?v=" + SHA_512, True, id="both hashes"),
    pytest.param(FILE + b"?v=" + SHA_512[:-1], False, id="a part of the SHA-512"),
    pytest.param(FILE + b"?v=1", False, id="a value that somebody has made up"),
]


@pytest.mark.parametrize(("target", "written_by_jupyter"), VERSIONS)
def test_which_versions_jupyter_writes(target: bytes, written_by_jupyter: bool) -> None:
    assert is_version_of(target, CONTENT_OF_FILE) is written_by_jupyter


def test_what_must_stay_the_same() -> None:
    lines = [*SCRIPT, IMMUTABLE, b"Last-Modified: x", b'ETag: "y"']
    before = validators_of(answered(*lines))
    assert before == validators_of(answered(*reversed(lines), b"Date: z"))
    for line in lines:
        others = [other for other in lines if other != line]
        assert validators_of(answered(*others)) != before
        assert validators_of(answered(*others, line + b"1")) != before


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"OPTIONS"])
def test_other_methods_are_jupyters(method: bytes) -> None:
    assert not may_answer(get(method=method))
    assert may_answer(get(method=b"GET"))
    assert may_answer(get(method=b"HEAD"))


@pytest.mark.parametrize(
    "line",
    [
        b"Range: bytes=0-1",
        b"Pragma: no-cache",
        b"Cache-Control: x",
        b"Cache-Control: only-if-cached, max-age=0",
        b"Cache-Control: no-transform",
    ],
)
def test_what_is_asked_of_jupyter_itself(line: bytes) -> None:
    assert not may_answer(get(line))
    assert may_answer(get(b"X-" + line))


def test_what_is_kept_is_enough_for_who_asks_for_no_more() -> None:
    line = b"Cache-Control: Only-If-Cached"
    assert may_answer(get(line))
    assert not may_answer(get(line, b"Cache-Control: no-cache"))
    assert not may_answer(get(line, b"Range: bytes=0-1"))


def test_several_values_are_told_apart() -> None:
    lines = (b"Cache-Control: a", b"Cache-Control: b")
    assert validators_of(answered(*lines)).cache_control == b"a, b"


KNOWN = [
    ((b'If-None-Match: "a"',), True),
    ((b'If-None-Match: W/"a"',), True),
    ((b"If-None-Match: *",), True),
    ((b'If-None-Match: "b"', b'If-None-Match: "a"'), True),
    ((b'If-None-Match: "b"',), False),
    ((b'If-None-Match: "b"', b"If-Modified-Since: day"), False),
    ((b"If-Modified-Since: day",), True),
    ((b"If-Modified-Since: another day",), False),
    ((b"If-Modified-Since: day", b"If-Modified-Since: day"), False),
    ((), False),
]


@pytest.mark.parametrize(("lines", "known"), KNOWN)
def test_what_the_client_has_already(lines: tuple[bytes, ...], known: bool) -> None:
    assert is_not_modified(get(*lines), b'"a"', b"day") is known


def test_without_a_date_nothing_is_compared_with_it() -> None:
    assert not is_not_modified(get(b"If-Modified-Since: "), b'"a"', b"")


def test_the_fields_that_are_kept() -> None:
    kept = (SCRIPT[0], IMMUTABLE, b"X-A: b")
    response = answered(*SCRIPT, IMMUTABLE, b"Date: x", b"ETag: y", b"X-A: b", b"Vary: *")
    assert list(kept_fields(response)) == list(fields(*kept))
    of_connection = (b"Connection: X-B", b"X-B: c", b"Keep-Alive: 5", b"Upgrade: h2c")
    of_octets = (b"Content-Digest: x", b"Repr-Digest: x", b"Digest: x", b"Content-MD5: x")
    assert list(kept_fields(answered(*of_connection, *of_octets, *kept))) == list(fields(*kept))


def test_the_fields_of_a_304() -> None:
    kept = (
        IMMUTABLE,
        b"Last-Modified: x",
        b"Expires: y",
        b"ETag: z",
        b"Vary: v",
        b"Date: d",
        b"Age: 7",
        b"Content-Location: /x",
    )
    hsts = b"Strict-Transport-Security: max-age=1"
    whole = list(fields(SCRIPT[0], *kept, hsts, b"X-A: b"))
    assert fields_of_304(whole) == list(fields(*kept, hsts))


@pytest.mark.parametrize(
    ("media", "page"),
    [(b"text/html; charset=UTF-8", True), (b"text/html-x", False), (b"application/json", False)],
)
def test_what_is_a_page(media: bytes, page: bool) -> None:
    assert is_page(answered(b"Content-Type: " + media)) is page


@pytest.mark.parametrize(
    ("media", "script"),
    [
        (b"text/javascript; charset=UTF-8", True),
        (b"Application/JavaScript", True),
        (b"application/json", False),
        (b"", False),
    ],
)
def test_what_is_a_script(media: bytes, script: bool) -> None:
    assert is_script(media) is script


def test_the_length_of_a_head() -> None:
    head = b"HTTP/1.1 200 OK\r\nA: b\r\nVary: *\r\n\r\n"
    assert head_bytes([(b"A", b"b"), (b"Vary", b"*")]) == len(head)
