"""Tokens as Jupyter finds them, and what its answers tell of them.

The answers are those of jupyter_server 2.21.
"""

from __future__ import annotations

import pytest

from proxy.rules.credentials import tokens, without_token
from proxy.rules.site import make_site
from proxy.rules.token_check import is_token_accepted
from tests.heads import HOST, JUPYTER, LAB, SITE, answered, fields, get

BROUGHT = [
    (b"/", (), b""),
    (b"/lab?token=x", (), b"x"),
    (b"/lab?a=1&token=x&b=2", (), b"x"),
    (b"/lab?to%6ben=x", (), b"x"),
    (b"/lab?token=%78+", (), b"x"),
    (b"/lab?token=x&token=y", (), b"x\0y"),
    (b"/lab?token=x?y", (), b"x?y"),
    (b"/lab?token=x=y", (), b"x=y"),
    (b"/lab?t%6f=x&a%62=y", (), b""),
    (b"/lab?token=", (), b""),
    (b"/lab?token", (), b""),
    (b"/lab?TOKEN=x", (), b""),
    (b"/lab?mytoken=x", (), b""),
    (b"/lab?a=token=x", (), b""),
    (b"/lab?a=1;token=x", (), b""),
    (b"/lab%3Ftoken=x", (), b""),
    (b"/", (b"Authorization: token x",), b"x"),
    (b"/", (b"authorization: BEARER\t x",), b"x"),
    (b"/", (b"Authorization: token\xa0x",), b"x"),
    (b"/", (b"Authorization: tokenx",), b""),
    (b"/", (b"Authorization: token",), b""),
    (b"/", (b"Authorization: Basic x",), b""),
    (b"/", (b"Authorization: Basic x", b"Authorization: token y"), b"y"),
    (b"/?token=x", (b"Authorization: token x",), b"x"),
    (b"/?token=x", (b"Authorization: token y",), b"x\0y"),
    # No Jupyter takes one there.
    (b"/", (b"Sec-WebSocket-Protocol: v1.token.websocket.jupyter.org.x", b"Cookie: token=x"), b""),
]


@pytest.mark.parametrize(("target", "lines", "expected"), BROUGHT)
def test_tokens(target: bytes, lines: tuple[bytes, ...], expected: bytes) -> None:
    assert tokens(get(HOST, *lines, target=target)) == expected


def test_a_token_is_taken_out_and_nothing_else() -> None:
    lines = (HOST, b"Authorization: token x", b"A: b", b"authorization: Basic y")
    assert without_token(fields(*lines)) == fields(HOST, b"A: b", b"authorization: Basic y")


NAME = b"username-127-0-0-1-8888"
SET = b'Set-Cookie: username-127-0-0-1-8888="2|1:0|10:1|24:u|=|e"; Path=/'
CLEARED = b'Set-Cookie: username-127-0-0-1-8888=""; expires=Mon, 25 Nov 2025 20:00:00 GMT; Path=/'
XSRF = b"Set-Cookie: _xsrf=2|e|r|1; Path=/"
SENT = b"Cookie: a=b; username-127-0-0-1-8888=c"

ANSWERS = [
    (b"/lab", (), 200, (SET, XSRF), True),
    (b"/lab", (), 200, (b"Set-Cookie: username-127-0-0-1-8888=X",), True),
    (b"/login", (), 302, (SET, b"Location: /"), True),
    (b"/login", (), 401, (SET, XSRF), True),
    (b"/api/contents/x", (), 404, (SET,), True),
    (b"/api/events/subscribe", (), 101, (SET,), True),
    (b"/api", (SENT,), 200, (SET,), True),
    (b"/lab", (), 302, (b"Location: /login?next=%2Flab",), False),
    (b"/lab", (), 302, (b"Location: https://lab.example.org/user/ada/login?next=x",), False),
    (b"/api/contents", (), 403, (), False),
    (b"/api/events/subscribe", (), 403, (XSRF,), False),
    (b"/login", (), 200, (XSRF,), False),
    (b"/x", (), 401, (), False),
    # Paths that ask for no login look at the token all the same.
    (b"/api", (), 200, (), False),
    (b"/static/favicon.ico", (), 304, (), False),
    (b"/nope", (), 404, (XSRF,), False),
    (b"/api", (b"Cookie: a=b",), 200, (), False),
    (b"/api", (SENT,), 200, (CLEARED,), False),
    # Somebody is logged in, and comes with a token of yesterday.
    (b"/lab", (SENT,), 200, (), None),
    (b"/api/contents/x", (SENT,), 404, (), None),
    (b"/login", (SENT,), 302, (b"Location: /",), None),
    (b"/api/contents", (SENT,), 403, (), False),
    (b"/api/contents", (SENT,), 401, (), False),
    (b"/lab", (), 302, (b"Location: /login?next=/lab?x",), False),
    # The answer does not depend on it.
    (b"/", (), 302, (b"Location: /lab?token=x",), None),
    (b"/lab/", (), 301, (b"Location: /lab",), None),
    (b"/logout", (), 200, (CLEARED,), None),
    (b"/api/contents", (), 500, (), None),
]


@pytest.mark.parametrize(("target", "lines", "status", "said", "right"), ANSWERS)
def test_was_right(
    target: bytes,
    lines: tuple[bytes, ...],
    status: int,
    said: tuple[bytes, ...],
    right: bool | None,
) -> None:
    head = get(HOST, *lines, target=target + b"?token=x")
    assert is_token_accepted(head, answered(*said, status=status), SITE) is right


def test_preserve_has_another_name_of_the_login() -> None:
    site = make_site((LAB,), JUPYTER, preserve=True)
    answer = answered(b"Set-Cookie: username-lab-example-org=x")
    assert is_token_accepted(get(HOST, target=b"/?token=x"), answer, site) is True
    assert is_token_accepted(get(HOST, target=b"/?token=x"), answer, SITE) is False
