"""One error, as a page, as JSON and as a sentence."""

from __future__ import annotations

import json

import pytest

from proxy.web.error_content import error_content
from tests.heads import HOST, get

FORMS = [
    ((), b"text/plain; charset=utf-8", b"Not <here>.\n"),
    ((b"Accept: text/html",), b"text/html; charset=utf-8", b"<p>Not &lt;here&gt;.</p>"),
    ((b"Accept: text/html",), b"text/html; charset=utf-8", b"Request 5f-1"),
    ((b"Accept: application/json",), b"application/json", b'"Not <here>."'),
]


@pytest.mark.parametrize(("lines", "content_type", "content"), FORMS)
def test_a_form_for_everybody(
    lines: tuple[bytes, ...], content_type: bytes, content: bytes
) -> None:
    error = error_content(get(HOST, *lines), 404, "challenge", "Not <here>.", "5f-1")
    assert error.content_type == content_type
    assert content in error.content
    assert bool(error.policy) == (b"html" in content_type)
    if error.content_type == b"application/json":
        named = {"message": "Not <here>.", "reason": "challenge", "request_id": "5f-1"}
        assert json.loads(error.content) == named
