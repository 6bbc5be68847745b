"""Frames of listed sites: policies, cookies, and whose navigations are let in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.changes import Change
from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Refuse
from proxy.rules.embedding import embedded, embedded_cookie, frame_ancestors
from proxy.rules.response import downstream_fields
from tests.heads import HOST, LAB, SITE, answered, get

PORTAL = b"https://portal.example"
EMBEDDED = replace(SITE, embed_in=(PORTAL, b"https://other.example:8443"))
LISTED = b"frame-ancestors 'self' https://portal.example https://other.example:8443"

POLICIES = [
    (b"frame-ancestors 'self'", LISTED),
    (
        b"frame-ancestors 'self'; report-uri /api/security/csp-report",
        LISTED + b"; report-uri /api/security/csp-report",
    ),
    (
        b"default-src 'none'; Frame-Ancestors 'none';sandbox allow-scripts",
        b"default-src 'none'; " + LISTED + b";sandbox allow-scripts",
    ),
    (b"frame-ancestors 'self', frame-ancestors 'none'", LISTED + b", " + LISTED),
    (b"frame-ancestors 'self' https://a.example", LISTED),
    (b"default-src 'self'", b"default-src 'self'"),
    (b"frame-ancestors-of-mine x", b"frame-ancestors-of-mine x"),
    (b"", b""),
]


@pytest.mark.parametrize(("policy", "expected"), POLICIES)
def test_only_frame_ancestors_are_replaced(policy: bytes, expected: bytes) -> None:
    assert frame_ancestors(policy, EMBEDDED) == expected
    head = answered(b"Content-Security-Policy: " + policy)
    changes: list[Change] = []
    sent, _ = downstream_fields(head, EMBEDDED, LAB, changes=changes)
    assert sent == [(b"Content-Security-Policy", expected)]
    assert {change.rule for change in changes} <= {"embedding"}
    assert bool(changes) is (policy != expected)
    assert downstream_fields(head, SITE, LAB)[0] == list(head.fields), "unchanged where off"


COOKIES = [
    (b"a=b", b"a=b; Secure; SameSite=None; Partitioned"),
    (
        b"a=b; Path=/; HttpOnly; samesite=Strict; secure; Partitioned",
        b"a=b; Path=/; HttpOnly; Secure; SameSite=None; Partitioned",
    ),
    (b"a=; expires=x; Path=/", b"a=; expires=x; Path=/; Secure; SameSite=None; Partitioned"),
]


@pytest.mark.parametrize(("cookie", "expected"), COOKIES)
def test_cookies_are_partitioned(cookie: bytes, expected: bytes) -> None:
    assert embedded_cookie(cookie) == expected
    changes: list[Change] = []
    head = answered(b"Set-Cookie: " + cookie)
    sent, _ = downstream_fields(head, EMBEDDED, LAB, changes=changes)
    assert sent == [(b"Set-Cookie", expected)]
    assert changes == [Change("set-cookie", b"Set-Cookie", cookie, expected)]


def test_a_domain_that_browsers_reject_is_removed_as_ever() -> None:
    head = answered(b"Set-Cookie: a=b; Domain=127.0.0.1")
    sent, _ = downstream_fields(head, EMBEDDED, LAB)
    assert sent == [(b"Set-Cookie", b"a=b; Secure; SameSite=None; Partitioned")]


def test_labgates_own_responses_follow() -> None:
    own = ((b"Set-Cookie", b"s=1; SameSite=Lax"), (b"Content-Type", b"text/html"))
    policy = (b"Content-Security-Policy", b"default-src 'none'; frame-ancestors 'self'")
    assert embedded((*own, policy), SITE) == (*own, policy)
    assert embedded((*own, policy), EMBEDDED) == (
        (b"Set-Cookie", b"s=1; Secure; SameSite=None; Partitioned"),
        own[1],
        (b"Content-Security-Policy", b"default-src 'none'; " + LISTED),
    )


FRAME = (b"Sec-Fetch-Site: cross-site", b"Sec-Fetch-Mode: navigate", b"Sec-Fetch-Dest: iframe")
REFERER = b"Referer: https://portal.example/"
REQUESTS = [
    pytest.param((*FRAME, REFERER), b"/lab", True, id="a listed site"),
    pytest.param((*FRAME, b"Referer: HTTPS://Portal.Example/x?y"), b"/lab", True, id="its path"),
    pytest.param(
        (*FRAME, b"Referer: https://portal.example/a/b?next=https://evil.example/"),
        *(b"/lab", True),
        id="a listed site with another in its query",
    ),
    pytest.param(
        (*FRAME, b"Referer: https://evil.example/a?https://portal.example/"),
        *(b"/lab", False),
        id="another site with a listed one in its query",
    ),
    pytest.param(FRAME, b"/lab", True, id="a site that does not say which"),
    pytest.param((*FRAME, b"Referer: https://evil.example/"), b"/lab", False, id="another site"),
    pytest.param((*FRAME, b"Referer: https://portal.example.evil/"), b"/lab", False, id="like it"),
    pytest.param((*FRAME, REFERER), b"/api/contents", False, id="no page"),
    pytest.param((*FRAME, REFERER), b"/files/x.html", False, id="a file"),
    pytest.param((*FRAME[:2], b"Sec-Fetch-Dest: object", REFERER), b"/lab", False, id="no frame"),
    pytest.param((FRAME[0], b"Sec-Fetch-Mode: no-cors", FRAME[2]), b"/lab", False, id="no page's"),
]


@pytest.mark.parametrize(("fields", "target", "allowed"), REQUESTS)
def test_who_may_open_a_frame(fields: tuple[bytes, ...], target: bytes, allowed: bool) -> None:
    head = get(HOST, *fields, target=target)
    decision = decide(head, EMBEDDED)
    assert isinstance(decision, Forward if allowed else Refuse)
    refused = decide(head, SITE)
    assert isinstance(refused, Refuse)
    assert refused.rule == "fetch-site"
    posted = decide(get(HOST, *fields, target=target, method=b"POST"), EMBEDDED)
    assert isinstance(posted, Refuse)
