"""Content that may be shown: which, how much, and without secrets."""

from __future__ import annotations

import gzip
import zlib

import pytest

from proxy.inspector.content import decode, is_text, redacted_text

SECRET = "s3cr3t-4711"


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
    assert decode(data, "br") is None


def test_a_bomb_is_decoded_up_to_the_bound() -> None:
    decoded = decode(gzip.compress(bytes(50_000_000)), "gzip", 1000)
    assert decoded == (bytes(1000), True)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [
        ("application/x-www-form-urlencoded", f"password={SECRET}&x=1"),
        ("application/x-www-form-urlencoded", f"x=1&_xsrf={SECRET}"),
        ("application/json", f'{{"x": 1, "token": "{SECRET}"}}'),
        ("application/json", f'{{"deep": [{{"new_password": {{"a": "{SECRET}"}}}}]}}'),
        ("application/json", f'{{"x": 1, "password": "{SECRET}'),
        ("application/json", f'{{"password" : "a\\"{SECRET}", "x": ['),
        ("application/json", f'{{"url": "https://h/?token={SECRET}"}}'),
        ("text/html", f'<input type="hidden" name="_xsrf" value="{SECRET}">'),
        ("text/html", f"<input value='{SECRET}' name=password"),
        ("text/html", f'<script id="jupyter-config-data">{{"token": "{SECRET}"}}</script>'),
        ("text/html", f'<a href="/lab?token={SECRET}">'),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_secrets_are_hidden(content_type: str, content: str, whole: bool) -> None:
    shown = redacted_text(content.encode(), content_type, whole=whole)
    if whole or "new_password" not in content:
        assert SECRET not in shown
        assert "[redacted]" in shown


def test_what_is_no_secret_stays() -> None:
    shown = redacted_text(b'{"name": "Untitled.ipynb", "size": 3}', "application/json", whole=True)
    assert "Untitled.ipynb" in shown
    assert '"size": 3' in shown
    page = '<input name="user" value="ada">'
    assert redacted_text(page.encode(), "text/html", whole=True) == page
