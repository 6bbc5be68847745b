"""What --show-headers shows of a head: the whole difference, each part with its rule."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import product

import pytest

from proxy.rules.changes import Change, differences, note
from proxy.rules.head import Field, RequestHead, ResponseHead
from proxy.rules.request import upstream_fields
from proxy.rules.response import downstream_fields
from proxy.rules.site import Site
from tests.heads import HOST, LAB, SITE, answered, get
from tests.rules import every_rule, test_request, test_response

ALL_SITES = [
    SITE,
    replace(SITE, preserve=True),
    replace(SITE, requires_login=True),
    replace(SITE, hsts_seconds=60),
]
REQUESTS = [
    *(get(HOST, *lines) for lines in every_rule.column(test_request.CASES)),
    *(get(HOST, b"Referer: " + row[2]) for row in test_request.REFERERS),
    get(HOST, b"Via: 1.0 a", b"via: 1.1 b"),
    get(HOST, b"Transfer-Encoding: chunked"),
    get(HOST, b"Connection: Upgrade", b"Upgrade: websocket"),
    get(HOST, b"Authorization: Basic x", b"Cookie: a=b; __Host-labgate=x"),
]
RESPONSES = [
    *(answered(b"Location: " + value) for value, _ in test_response.LOCATIONS),
    *(answered(b"Set-Cookie: " + value) for value, _ in test_response.COOKIES),
    answered(*test_response.UPSTREAM_CORS, b"Vary: Origin"),
    answered(b"Connection: X-Mine", b"X-Mine: 1", b"Content-Length: 007"),
    answered(b"Content-Length: 0", status=204),
    answered(b"Strict-Transport-Security: max-age=1"),
    answered(b"Connection: Upgrade", b"Upgrade: websocket", status=101),
]


def changed(fields: Iterable[Field], changes: Iterable[Change]) -> list[Field]:
    """The fields after the changes, in some order, with names in lower case."""
    left = [(name.lower(), value) for name, value in fields]
    for change in changes:
        if change.before is not None:
            left.remove((change.name.lower(), change.before))
        if change.after is not None:
            left.append((change.name.lower(), change.after))
    return sorted(left)


@pytest.mark.parametrize("head", REQUESTS, ids=range(len(REQUESTS)))
def test_they_are_all_that_is_done_to_a_request(head: RequestHead) -> None:
    for site, websocket in product(ALL_SITES, [False, True]):
        changes: list[Change] = []
        sent = upstream_fields(head, site, websocket=websocket, changes=changes)
        assert changed(head.fields, changes) == changed(sent, ())
        assert sent == upstream_fields(head, site, websocket=websocket)
        assert all(change.before != change.after for change in changes)


@pytest.mark.parametrize("head", RESPONSES, ids=range(len(RESPONSES)))
def test_they_are_all_that_is_done_to_a_response(head: ResponseHead) -> None:
    for site, websocket in product(ALL_SITES, [False, True]):
        changes: list[Change] = []
        sent, dated = downstream_fields(head, site, LAB, websocket=websocket, changes=changes)
        assert changed(head.fields, changes) == changed(sent, ())
        assert (sent, dated) == downstream_fields(head, site, LAB, websocket=websocket)
        assert all(change.before != change.after for change in changes)


WITH_LOGIN = ALL_SITES[2]
UP = [
    (b"Connection: close", SITE, "hop-by-hop"),
    (b"Keep-Alive: 5", SITE, "hop-by-hop"),
    (b"Transfer-Encoding: chunked", SITE, "hop-by-hop"),
    (b"Host: lab.example.org", SITE, "host"),
    (b"Origin: https://lab.example.org", SITE, "origin"),
    (b"Referer: https://lab.example.org/", SITE, "referer"),
    (b"Forwarded: for=x", SITE, "client-claims"),
    (b"X-Forwarded-Host: x", SITE, "client-claims"),
    (b"X_Forwarded_Host: x", SITE, "client-claims"),
    (b"Content_Length: 1", SITE, "underscores"),
    (b"Content-Length: 01", SITE, "framing"),
    (b"Via: 1.0 a", SITE, "via"),
    (b"Authorization: Basic x", WITH_LOGIN, "basic-auth"),
    (b"Cookie: __Host-labgate=x", WITH_LOGIN, "basic-auth"),
]


@pytest.mark.parametrize(("line", "site", "rule"), UP)
def test_each_names_the_rule_for_a_field_of_the_client(line: bytes, site: Site, rule: str) -> None:
    changes: list[Change] = []
    [given] = get(line).fields
    upstream_fields(get(line), site, changes=changes)
    assert [change.rule for change in changes if (change.name, change.before) == given] == [rule]


def test_each_names_the_rule_for_a_field_that_labgate_adds() -> None:
    changes: list[Change] = []
    upstream_fields(get(HOST, b"Via: 1.0 a"), SITE, websocket=True, changes=changes)
    assert [(change.rule, change.name) for change in changes if change.before is None] == [
        ("forwarded", b"X-Real-IP"),
        ("forwarded", b"X-Forwarded-For"),
        ("forwarded", b"X-Forwarded-Proto"),
        ("forwarded", b"X-Forwarded-Host"),
        ("via", b"Via"),
        ("hop-by-hop", b"Connection"),
        ("hop-by-hop", b"Upgrade"),
    ]
    changes.clear()
    upstream_fields(get(HOST, b"Transfer-Encoding: chunked"), SITE, changes=changes)
    assert changes[-1] == Change("hop-by-hop", b"Transfer-Encoding", None, b"chunked")


WITH_HSTS = ALL_SITES[3]
DOWN = [
    (b"Connection: close", 200, SITE, "hop-by-hop"),
    (b"Content-Length: 0", 204, SITE, "framing"),
    (b"Content-Length: 00", 200, SITE, "framing"),
    (b"Location: http://127.0.0.1:8888/", 302, SITE, "location"),
    (b"Set-Cookie: a=b", 200, SITE, "set-cookie"),
    (b"Set-Cookie: __Host-labgate=b", 200, WITH_LOGIN, "basic-auth"),
    (b"Access-Control-Allow-Origin: http://127.0.0.1:8888", 200, SITE, "cors"),
    (b"Strict-Transport-Security: max-age=1", 200, WITH_HSTS, "hsts"),
]


@pytest.mark.parametrize(("line", "status", "site", "rule"), DOWN)
def test_each_names_the_rule_for_a_field_of_jupyter(
    line: bytes, status: int, site: Site, rule: str
) -> None:
    changes: list[Change] = []
    head = answered(line, status=status)
    downstream_fields(head, site, LAB, changes=changes)
    [given] = head.fields
    assert [change.rule for change in changes if (change.name, change.before) == given] == [rule]


def test_each_names_the_rule_for_a_field_that_the_client_gets_from_labgate() -> None:
    changes: list[Change] = []
    downstream_fields(answered(status=200), WITH_HSTS, LAB, changes=changes)
    downstream_fields(answered(status=101), SITE, LAB, websocket=True, changes=changes)
    assert changes == [
        Change("hsts", b"Strict-Transport-Security", None, b"max-age=60"),
        Change("hop-by-hop", b"Connection", None, b"Upgrade"),
        Change("hop-by-hop", b"Upgrade", None, b"websocket"),
    ]


def test_what_stays_the_same_is_no_change() -> None:
    changes: list[Change] = []
    note(changes, "rule", (b"A", b"b"), b"b")
    assert not changes
    note(None, "rule", (b"A", b"b"), None)
    note(changes, "rule", (b"A", b"b"), None)
    assert changes == [Change("rule", b"A", b"b", None)]


A, B, C = (b"A", b"1"), (b"B", b"2"), (b"C", b"3")
DIFFERENCES: list[tuple[list[Field], list[Field], list[Change]]] = [
    ([A, B], [A, B], []),
    ([A, B], [B, A], []),
    ([A, B], [(b"a", b"1"), B], []),
    ([A, B], [B], [Change("rule", b"A", b"1", None)]),
    ([A, B], [A, (b"b", b"9")], [Change("rule", b"B", b"2", b"9")]),
    ([A], [A, C], [Change("rule", b"C", None, b"3")]),
    (
        [A, B],
        [C],
        [*(Change("rule", *old, None) for old in (A, B)), Change("rule", b"C", None, b"3")],
    ),
]


@pytest.mark.parametrize(("before", "after", "changes"), DIFFERENCES)
def test_differences(before: list[Field], after: list[Field], changes: list[Change]) -> None:
    assert differences("rule", before, after) == changes
    assert differences("rule", before, before) == []
