"""The four forms of a request target."""

from __future__ import annotations

import pytest

from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead
from proxy.rules.target import has_dot_segment, is_ordinary, origin_form
from tests.heads import HOST, get

KEPT = [
    pytest.param(get(HOST, target=b"/a//b/../%2F?x=//y"), id="origin-form is never normalised"),
    pytest.param(get(HOST, target=b"*", method=b"OPTIONS"), id="asterisk-form"),
]


@pytest.mark.parametrize("head", KEPT)
def test_kept(head: RequestHead) -> None:
    assert origin_form(head) is head


ABSOLUTE = [
    (b"http://lab.example.org/x?y", b"lab.example.org", b"/x?y"),
    (b"HTTPS://lab.example.org:443", b"lab.example.org:443", b"/"),
    (b"http://lab.example.org?y=/", b"lab.example.org", b"/?y=/"),
    (b"http://lab.example.org?a?b", b"lab.example.org", b"/?a?b"),
    (b"http://lab.example.org/a/b?c=http://d", b"lab.example.org", b"/a/b?c=http://d"),
]


@pytest.mark.parametrize(("target", "host", "path"), ABSOLUTE)
def test_absolute_form_overrides_host(target: bytes, host: bytes, path: bytes) -> None:
    head = origin_form(get(b"Host: other.example", b"A: b", target=target))
    assert isinstance(head, RequestHead)
    assert head.target == path
    assert head.fields == ((b"Host", host), (b"A", b"b"))


SERVER_AS_A_WHOLE = [
    (b"OPTIONS", b"http://lab.example.org", b"*"),
    (b"OPTIONS", b"http://lab.example.org?x", b"/?x"),
    (b"OPTIONS", b"http://lab.example.org/", b"/"),
    (b"GET", b"http://lab.example.org", b"/"),
]


@pytest.mark.parametrize(("method", "target", "path"), SERVER_AS_A_WHOLE)
def test_options_without_a_path_means_the_server(method: bytes, target: bytes, path: bytes) -> None:
    head = origin_form(get(HOST, target=target, method=method))
    assert isinstance(head, RequestHead)
    assert head.target == path


ORDINARY = [
    (b"/", True),
    (b"/lab?x=/.labgate/", True),
    (b"/a/.b", True),
    (b"/.labgate/health", False),
    (b"/lab#x", False),
    (b"/lab/logout", False),
    (b"*", False),
    (b"http://lab.example.org/", False),
    (b"", False),
]


@pytest.mark.parametrize(("target", "ordinary"), ORDINARY)
def test_the_decision_about_an_ordinary_target_is_that_about_others(
    target: bytes, ordinary: bool
) -> None:
    assert is_ordinary(target) is ordinary


DOT_SEGMENTS = [
    (b"/bob/../ada/lab", True),
    (b"/bob/..", True),
    (b"/bob/./x", True),
    (b"/..", True),
    (b"/bob/%2e%2E/ada", True),
    (b"/bob/.%2e?x", True),
    (b"/bob/%2e", True),
    (b"/tool/..%2fsecret", True),
    (b"/tool%2F../secret", True),
    (b"/tool/..%5Csecret", True),
    (b"/tool\\..\\secret", True),
    # Servers of Java leave out what begins with the semicolon.
    (b"/tool/..;x=1/secret", True),
    (b"/tool/..%3B/secret", True),
    (b"/", False),
    (b"*", False),
    (b"/bob/.../x", False),
    (b"/bob/.hidden/..x/x../y.", False),
    (b"/bob/a..b/;..", False),
    (b"/bob/x?y=/../z", False),
    # Decoded once, as Jupyter does: it serves a folder of the name %2e%2e there.
    (b"/bob/%252e%252e/x", False),
    (b"/bob/..%0A/x", False),
]


@pytest.mark.parametrize(("target", "dots"), DOT_SEGMENTS)
def test_dot_segments_are_found_in_every_encoding(target: bytes, dots: bool) -> None:
    assert has_dot_segment(target) is dots


REFUSED = [
    pytest.param(get(HOST, target=b"example.org:443", method=b"CONNECT"), 405, id="CONNECT"),
    pytest.param(get(HOST, target=b"/", method=b"CONNECT"), 405, id="CONNECT with a path"),
    pytest.param(get(HOST, target=b"*"), 400, id="* with GET"),
    pytest.param(get(HOST, target=b"lab"), 400, id="no slash"),
    pytest.param(get(HOST, target=b"ftp://lab.example.org/"), 400, id="another scheme"),
    pytest.param(get(HOST, target=b"http:///x"), 400, id="no authority"),
    pytest.param(get(HOST, target=b"http://a@lab.example.org/"), 400, id="userinfo"),
]


@pytest.mark.parametrize(("head", "status"), REFUSED)
def test_refused(head: RequestHead, status: int) -> None:
    decision = origin_form(head)
    assert isinstance(decision, Refuse)
    assert decision.status == status
