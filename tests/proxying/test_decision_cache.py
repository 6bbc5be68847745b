"""What is remembered of a field section changes no decision and no byte."""

from __future__ import annotations

import gc
from dataclasses import replace
from ipaddress import ip_network
from itertools import product

import pytest

from proxy.http1.request_writer import serialize_fields
from proxy.observe.record import Record
from proxy.proxying.decision_cache import DecisionCache
from proxy.rules.compression import compressible_folders
from proxy.rules.decide import decide
from proxy.rules.decision import Forward
from proxy.rules.head import Arrival, FieldSection, RequestHead
from proxy.rules.networks import Networks
from proxy.rules.site import make_site
from tests.heads import HOST, JUPYTER, LAB, LOCAL, SITE, fields, get
from tests.rules.test_decide import CROSS, NAVIGATES, OWN, UPGRADE

TARGETS = [
    b"/",
    b"/lab",
    b"//x",
    b"/api/contents",
    b"/lab/../api",
    b"/lab#x",
    b"*",
    b"lab",
    b"http://lab.example.org/lab",
    b"http://evil.example/lab",
    b"/.labgate/health",
    b"/.well-known/acme-challenge/x",
    b"/api/kernels/1/channels?token=x",
    b"/logout",
]


SITES = [
    SITE,
    make_site((LOCAL,), JUPYTER),
    make_site((LAB,), JUPYTER, allow=Networks([ip_network("203.0.113.0/24")])),
    make_site((LOCAL, LAB), JUPYTER, canonical_redirect=True),
    make_site((LAB,), JUPYTER, refuse_dot_segments=True),
]
ARRIVALS = [
    Arrival("203.0.113.7"),
    Arrival("198.51.100.1"),
    Arrival("203.0.113.7", plain_redirects=True),
]
ASKED = list(
    product(
        [b"GET", b"POST", b"OPTIONS", b"CONNECT", b"NONE"],
        TARGETS,
        [(1, 0), (1, 1)],
        ARRIVALS,
        SITES,
    )
)


@pytest.mark.parametrize(
    "lines",
    [
        (),
        (OWN,),
        (CROSS, *NAVIGATES),
        (OWN, *UPGRADE),
        (b"Sec-Fetch-Site: same-origin",),
        (b"Max-Forwards: 1",),
        (b"Max-Forwards: 0",),
        (b"Expect: 100-continue",),
    ],
)
def test_what_was_forwarded_before_changes_no_decision(lines: tuple[bytes, ...]) -> None:
    """Two with the same field lines: each kind after and before an ordinary one, and twice."""
    ordinary = (b"GET", b"/lab", (1, 1), ARRIVALS[0], SITES[0])
    pairs = [*product([ordinary], ASKED), *product(ASKED, [ordinary])]
    for pair in [*pairs, *zip(ASKED, ASKED, strict=True)]:
        cache, section = DecisionCache(), FieldSection(fields(HOST, *lines))
        for method, target, version, arrival, site in pair:
            again = RequestHead(method, target, version, section.fields, arrival, section)
            fresh = RequestHead(method, target, version, section.fields, arrival)
            assert cache.decide(again, site) == decide(fresh, site)


def test_the_path_of_a_route_is_redirected_though_paths_below_it_were_forwarded() -> None:
    site = make_site((LAB,), JUPYTER, base_path="/ada/", folder=b"/ada")
    cache, below = DecisionCache(), get(HOST, target=b"/ada/lab")
    assert cache.decide(below, site) == Forward(below)
    for target in (b"/ada", b"/ada?x"):
        itself = replace(below, target=target)
        assert cache.decide(itself, site) == decide(itself, site) != Forward(itself)


def test_dot_segments_are_refused_though_other_paths_were_forwarded() -> None:
    site = make_site((LAB,), JUPYTER, refuse_dot_segments=True)
    cache, before = DecisionCache(), get(HOST, target=b"/bob/lab")
    assert cache.decide(before, site) == Forward(before)
    dots = replace(before, target=b"/bob/%2e%2e/ada/lab")
    assert cache.decide(dots, site) == decide(dots, site) != Forward(dots)


def test_a_condition_on_a_range_is_judged_for_each_target() -> None:
    """A date may match a download, and no file that is compressed."""
    site = make_site((LAB,), JUPYTER, compressible=compressible_folders("/"))
    lines = (HOST, b"Range: bytes=9-", b"If-Range: Sun, 06 Nov 1994 08:49:37 GMT")
    cache, section = DecisionCache(), FieldSection(fields(*lines))
    for target, expected in ((b"/files/a", True), (b"/static/a.js", False), (b"/files/b", True)):
        head = RequestHead(b"GET", target, (1, 1), section.fields, ARRIVALS[0], section)
        assert (b"Range:" in cache.upstream_lines(head, site)) is expected, target


def test_what_went_up_once_goes_up_again_for_the_same_client_only() -> None:
    cache = DecisionCache()
    head = get(HOST, b"X-Forwarded-For: 10.0.0.1", target=b"/1")
    first = cache.upstream_lines(head, SITE)
    assert b"\r\nX-Forwarded-For: 203.0.113.7\r\n" in first
    assert cache.upstream_lines(replace(head, target=b"/2"), SITE) is first
    other = cache.upstream_lines(head.from_peer("198.51.100.9"), SITE)
    assert other == first.replace(b"203.0.113.7", b"198.51.100.9")
    preserving = cache.upstream_lines(head, replace(SITE, preserve=True))
    assert preserving.startswith(b"Host: lab.example.org\r\n")
    record = Record(head)
    assert cache.upstream_lines(head, SITE, trace=record) == first
    assert serialize_fields(record.fields_up.pairs) == first
    assert record.fields_up.changes


def test_who_looks_now_and_then_sees_every_change() -> None:
    cache, head = DecisionCache(), get(HOST, b"TE: x")
    for record in (None, Record(head), None, Record(head)):
        lines = cache.upstream_lines(head, SITE, trace=record)
        assert b"TE: x" not in lines
        if record is not None:
            assert serialize_fields(record.fields_up.pairs) == lines
            assert ("hop-by-hop", b"TE", b"x", None) in record.fields_up.changes


def test_what_went_up_is_shared_by_all_who_look() -> None:
    cache, head = DecisionCache(), get(HOST, b"TE: x")
    first, later = Record(head), Record(head)
    for record in (first, None, later):
        cache.upstream_lines(head, SITE, trace=record)
    assert (b"Host", b"127.0.0.1:8888") in first.fields_up.pairs
    assert later.fields_up is first.fields_up


def test_what_is_remembered_goes_with_the_fields() -> None:
    cache = DecisionCache()
    head = get(HOST)
    assert isinstance(cache.decide(head, SITE), Forward)
    cache.upstream_lines(head, SITE)
    assert len(cache) == 1
    del head
    gc.collect()
    assert not len(cache)


def test_a_handshake_is_not_remembered() -> None:
    """Its fields would be kept for as long as the WebSocket is open."""
    cache = DecisionCache()
    head = get(HOST, OWN, *UPGRADE)
    cache.decide(head, SITE)
    lines = cache.upstream_lines(head, SITE, websocket=True)
    record = Record(head)
    assert cache.upstream_lines(head, SITE, websocket=True, trace=record) == lines
    assert not len(cache)
    assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in lines
    assert serialize_fields(record.fields_up.pairs) == lines
    assert record.fields_up.pairs
    assert record.fields_up.changes
