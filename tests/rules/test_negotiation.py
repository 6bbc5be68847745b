"""The representation of an error: page, JSON or text."""

from __future__ import annotations

import pytest

from proxy.rules.negotiation import Representation, is_navigation, representation
from tests.heads import get

PAGE, JSON, TEXT = Representation.PAGE, Representation.JSON, Representation.TEXT

CHROME = (
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,"
    b"image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
)
NAVIGATES = b"Sec-Fetch-Mode: navigate"
CORS = b"Sec-Fetch-Mode: cors"
EMPTY = b"Sec-Fetch-Dest: empty"

ASKED = [
    pytest.param((CHROME, NAVIGATES), PAGE, id="Chromium opens a page"),
    pytest.param((CHROME,), PAGE, id="an old browser, or plain HTTP"),
    pytest.param((b"Accept: text/html",), PAGE, id="a program that reads HTML"),
    pytest.param((b"Accept: TEXT/HTML;charset=utf-8",), PAGE, id="in another case, a parameter"),
    pytest.param((b"Accept: a/b", b"Accept: text/html"), PAGE, id="two fields"),
    pytest.param((CHROME, CORS, EMPTY), JSON, id="a script that asks as if it were a browser"),
    pytest.param((CHROME, NAVIGATES, CORS), TEXT, id="two modes"),
    pytest.param((b"Accept: */*", CORS, EMPTY), JSON, id="Lab's own requests"),
    pytest.param((b"Accept: text/plain", CORS, EMPTY), TEXT, id="a script that wants text"),
    pytest.param((b"Accept: */*", b"Sec-Fetch-Dest: image"), TEXT, id="an image"),
    pytest.param((), TEXT, id="nothing"),
    pytest.param((b"Accept: */*",), TEXT, id="curl"),
    pytest.param((b"Accept: application/json",), JSON, id="JSON"),
    pytest.param((b"Accept: application/json, text/plain, */*",), JSON, id="axios"),
    pytest.param((b"Accept: text/plain, application/json",), TEXT, id="the first of equals"),
    pytest.param((b"Accept: text/html;q=0.5, application/json",), JSON, id="weights"),
    pytest.param((b"Accept: application/json ; q=0.1 , text/html;q=0.9",), PAGE, id="spaces"),
    pytest.param((b"Accept: text/html;q=1, application/json",), PAGE, id="the weight 1"),
    pytest.param((b"Accept: text/html;q=0.123",), PAGE, id="three decimals"),
    pytest.param((b"Accept: text/html;q=0=1, application/json;q=0.1",), JSON, id="two signs"),
    pytest.param((b"Accept: text/html;q=0, */*",), TEXT, id="refused by weight"),
    pytest.param((b"Accept: text/html;q=x",), TEXT, id="no weight"),
    pytest.param((b"Accept: text/html;q=inf, application/json;q=0.1",), JSON, id="infinite"),
    pytest.param((b"Accept: text/html;q=1.5, application/json",), PAGE, id="more than one"),
    pytest.param((b"Accept: application/json, text/html;q=1.5",), JSON, id="no more than one"),
    pytest.param((b"Accept: text/html;q=1., application/json;q=0.999",), PAGE, id="no decimals"),
    pytest.param((b"Accept: text/html;q=0.1234",), TEXT, id="too many decimals"),
    pytest.param((b"Accept: text/htmlx, xtext/html",), TEXT, id="other names"),
    pytest.param((b"Accept: ,;,;q=1,=",), TEXT, id="nonsense"),
    pytest.param((b"Accept: " + b"a/b," * 20000 + b"text/html",), TEXT, id="far too much"),
    pytest.param((b"Accept: text/html," + b"a/b," * 40,), PAGE, id="many, the first suits"),
]


@pytest.mark.parametrize(("lines", "expected"), ASKED)
def test_representation(lines: tuple[bytes, ...], expected: Representation) -> None:
    head = get(*lines)
    assert representation(head) is expected
    assert is_navigation(head) is (expected is PAGE)
