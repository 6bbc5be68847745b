"""Content that may be shown: which, how much, and without secrets."""

from __future__ import annotations

import gzip
import sys
import zlib

import brotli  # type: ignore[import-untyped]
import pytest

from proxy.inspector.content import decode, is_text, redacted_text
from tests.interruption import interrupted

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SECRET = "s3cr3t-4711"
MUCH_BYTES = 256 * 1024


@pytest.mark.parametrize(
    ("content_type", "text"),
    [
        ("text/html; charset=utf-8", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("application/x-www-form-urlencoded", True),
        ("image/png", False),
        ("application/octet-stream", False),
        ("", False),
    ],
)
def test_media_types(content_type: str, text: bool) -> None:
    assert is_text(content_type) is text


def test_codings() -> None:
    data = b"hello " * 1000
    assert decode(data, "", 10) == (data[:10], True)
    assert decode(data, "identity") == (data, False)
    assert decode(gzip.compress(data), "gzip") == (data, False)
    assert decode(zlib.compress(data), "deflate") == (data, False)
    assert decode(gzip.compress(data), "x-gzip", 10) == (data[:10], True)
    assert decode(gzip.compress(data)[:-5], "gzip") == (data, True)
    assert decode(b"not gzip", "gzip") is None
    assert decode(brotli.compress(data), "br") == (data, False)
    assert decode(brotli.compress(data), "BR", 10) == (data[:10], True)
    assert decode(b"no brotli", "br") is None
    assert decode(zstd.compress(data), "zstd") == (data, False)
    assert decode(zstd.compress(data), "zstd", 10) == (data[:10], True)
    assert decode(b"not zstd", "zstd") is None
    assert decode(data, "compress") is None


def test_a_bomb_is_decoded_up_to_the_bound() -> None:
    bomb = bytes(50_000_000)
    assert decode(gzip.compress(bomb), "gzip", 1000) == (bytes(1000), True)
    assert decode(brotli.compress(bomb, quality=1), "br", 1000) == (bytes(1000), True)
    assert decode(zstd.compress(bomb), "zstd", 1000) == (bytes(1000), True)


def test_a_window_that_takes_much_memory_is_not_decoded() -> None:
    options: dict[int, int] = {zstd.CompressionParameter.window_log: 27}
    assert decode(zstd.compress(bytes(200_000_000), options=options), "zstd", 1000) is None


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/x-www-form-urlencoded", f"password={SECRET}&x=1"),
        ("application/x-www-form-urlencoded", f"x=1&_xsrf={SECRET}"),
        ("application/json", f'{{"x": 1, "token": "{SECRET}"}}'),
        ("application/json", f'{{"deep": [{{"new_password": {{"a": "{SECRET}"}}}}]}}'),
        ("application/json", f'{{"x": 1, "password": "{SECRET}'),
        ("application/json", f'{{"tokens": ["{SECRET}", "x'),
        ("application/json", f'{{"tokens": [1, ["a]", "{SECRET}"'),
        ("application/json", f'{{"auth": {{"bearer": "{SECRET}"}}, "x": ['),
        ("application/json", f'{{"auth": {{"a": "}}", "b": [], "c": "{SECRET}"}}, "x": ['),
        ("application/json", f'{{"a": ":", "token": "{SECRET}", "x": ['),
        ("text/html", f'<p title=5">{{"token": "{SECRET}"}}'),
        ("application/json", f'{{"password" : "a\\"{SECRET}", "x": ['),
        ("application/json", f'{{"url": "https://h/?token={SECRET}"}}'),
        ("text/html", f'<input type="hidden" name="_xsrf" value="{SECRET}">'),
        ("text/html", f"<input value='{SECRET}' name=password"),
        ("text/html", f'<script id="jupyter-config-data">{{"token": "{SECRET}"}}</script>'),
        ("text/html", f'<a href="/lab?token={SECRET}">'),
        ("text/html", f'<body data-jupyter-api-token="{SECRET}" dir="ltr">'),
        ("text/html; charset=utf-8", f"<body\ndata-api-key = '{SECRET}"),
        ("application/xhtml+xml", f"<body DATA-TOKEN={SECRET} dir=ltr>"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_secrets_are_hidden(content_type: str, content: str, whole: bool) -> None:
    shown = redacted_text(content.encode(), content_type, whole=whole)
    assert SECRET not in shown
    assert "[redacted]" in shown


def test_only_the_secret_is_hidden_where_the_text_is_cut_off() -> None:
    cut = b'{"auth": {"a": [1, "]}"]}, "tokens": [], "key": null, "name": "A.ipynb", "n": [1'
    shown = redacted_text(cut, "application/json", whole=False)
    assert shown == (
        '{"auth": "[redacted]", "tokens": [], "key": "[redacted]", "name": "A.ipynb", "n": [1'
    )


@pytest.mark.parametrize(
    "piece",
    [
        *('\\"', '"', '" ', '"a', '"a" ', '"a":', '"token":', '"token":[', '"token":"', "{", "["),
        *("<input ", "<meta name", "<input value=", "//a", "?a", "%3d%2f%2fa", "a@", " @", "\\"),
        *("token=", 'token="', "token='", "token ", "token  =  "),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_the_time_is_proportional_to_the_length(piece: str, whole: bool) -> None:
    content = (piece * MUCH_BYTES)[:MUCH_BYTES].encode()
    with interrupted():  # where it is quadratic, it takes minutes
        redacted_text(content, "application/json", whole=whole)
        redacted_text(content, "text/html", whole=whole)


def test_what_is_no_secret_stays() -> None:
    shown = redacted_text(b'{"name": "Untitled.ipynb", "size": 3}', "application/json", whole=True)
    assert "Untitled.ipynb" in shown
    assert '"size": 3' in shown
    page = '<input name="user" value="ada">'
    assert redacted_text(page.encode(), "text/html", whole=True) == page
