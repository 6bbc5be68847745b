"""Requests, answers and sites, and every rule that is given something that could change."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from proxy.rules import caching, credentials, embedding
from proxy.rules.changes import differences
from proxy.rules.client import with_client_address
from proxy.rules.compression import compressed_head, is_sized, preferred
from proxy.rules.connection_names import ConnectionNames
from proxy.rules.decide import HEALTH_PATH, LOGOUT_PATH, decide, depends_on_target
from proxy.rules.decision import Forward, Tunnel
from proxy.rules.head import RequestHead, ResponseHead
from proxy.rules.message import connection_facts
from proxy.rules.negotiation import is_navigation, representation
from proxy.rules.prefixes import PrefixTree, routed_path
from proxy.rules.request import fields_depend_on_target, upstream_fields
from proxy.rules.request_id import request_id
from proxy.rules.response import downstream_fields, names_upstream
from proxy.rules.response_faults import response_fault, switches_to_websocket
from proxy.rules.route_choice import RouteChoice
from proxy.rules.site import Site, make_site
from proxy.rules.token_check import is_token_accepted
from tests.heads import HOST, JUPYTER, LAB, LOCAL, SITE, answered, get
from tests.rules import (
    test_caching,
    test_client,
    test_compression,
    test_decide,
    test_embedding,
    test_hub_heads,
    test_hub_requests,
    test_request,
    test_response,
    test_stripped_prefix,
    test_target,
)


def column(rows: Iterable[Any]) -> list[Any]:
    """The first value of every row of a table."""
    return [row.values[0] for row in rows]


FILE = b"/static/lab/main.js"
HEADS: list[RequestHead] = [
    *column((*test_decide.PASSES, *test_decide.REFUSED, *test_client.DECISIONS)),
    *column((*test_target.KEPT, *test_target.REFUSED)),
    *(get(HOST, target=target) for target, _, _ in test_target.ABSOLUTE),
    *(get(HOST, *lines) for lines in column(test_request.CASES)),
    get(HOST, test_decide.OWN, *test_decide.UPGRADE),
    get(HOST, b"Via: 1.0 a", b"via: 1.1 b"),
    get(HOST, b"X-Forwarded-For: 192.0.2.1"),
    get(HOST, b"Authorization: Basic YTpi", b"Cookie: __Host-labgate=x; a=b", b"cookie: c=d"),
]
EVERYWHERE = [
    get(HOST, target=HEALTH_PATH),
    get(HOST, test_decide.OWN, target=LOGOUT_PATH),
    get(HOST, *test_decide.UPGRADE),
    get(HOST, b"X-Forwarded-For: 192.0.2.1"),
]
"""Those that some rule needs."""
ANSWERS: list[ResponseHead] = [
    *(answered(b"Location: " + value, status=302) for value, _ in test_response.LOCATIONS),
    *(answered(b"Set-Cookie: " + value) for value, _ in test_response.COOKIES),
    answered(*test_response.UPSTREAM_CORS, b"Vary: Origin", b"Date: today"),
    answered(b"Connection: X-Mine", b"X-Mine: 1", b"Keep-Alive: x", b"Content-Length: 0"),
    answered(b"Upgrade: websocket", b"Connection: Upgrade", status=101),
    answered(test_caching.IMMUTABLE, *test_caching.SCRIPT, b'ETag: "1"', b"Vary: Accept-Encoding"),
    answered(test_compression.SCRIPT, test_compression.LONG, b"Last-Modified: x"),
    answered(b'ETag: W/"1"', status=304),
]
SITES = [
    SITE,
    replace(SITE, requires_login=True, preserve=True, hsts_seconds=1, base_path="/lab/"),
    replace(SITE, canonical_redirect=True, challenges=True, websocket_without_origin=True),
    make_site((LOCAL, LAB), JUPYTER, trusted_proxies=test_client.networks("203.0.113.7")),
    test_client.CLOSED,
    replace(SITE, observe=True, requires_login=True).unmodified(),
    SITE.for_web_app(),
    test_embedding.EMBEDDED,
    test_stripped_prefix.BELOW,
    test_hub_requests.OPEN,
    test_hub_requests.SUBDOMAINS,
    test_hub_heads.site(check_origins=True, set_fields=((b"X", b"y"),), location_host=True),
]


def every_rule_for_requests(head: RequestHead, site: Site) -> list[object]:
    """What each of them says of the request."""
    said: list[object] = [
        with_client_address(head, site.trusted_proxies),
        decide(head, site),
        connection_facts(head),
        representation(head),
        is_navigation(head),
        request_id(head, site.trusted_proxies),
        credentials.tokens(head),
        credentials.without_token(head.fields),
        [*credentials.pairs(head.values(b"cookie"))],
        credentials.session_cookies(head.values(b"cookie")),
        caching.may_answer(head),
        caching.is_not_modified(head, b'"1"', b""),
        routed_path(head, by_host=True),
        embedding.embedded(head.fields, site),
        site.public_origin(head),
    ]
    if isinstance(decided := said[1], Forward | Tunnel):
        websocket = isinstance(decided, Tunnel)
        up = decided.head
        said += [
            depends_on_target(decided, head),
            fields_depend_on_target(head),
            upstream_fields(up, site, websocket=websocket),
            upstream_fields(up, site, websocket=websocket, changes=[]),
        ]
        if site.stripped is not None:
            said.append(site.stripped.head_up(up))
    return said


def every_rule_for_answers(head: ResponseHead, site: Site) -> list[object]:
    """What each of them says of the answer."""
    websocket = switches_to_websocket(head)
    fields, _ = downstream_fields(head, site, LAB, websocket=websocket)
    request = get(HOST, b"Accept-Encoding: gzip", b"Sec-Fetch-Site: same-origin", target=FILE)
    sent = compressed_head(request, head, fields, site.base_path).fields
    return [
        response_fault(head, "1.1"),
        fields,
        downstream_fields(head, site, LAB, websocket=websocket, changes=[]),
        names_upstream(head, site),
        is_token_accepted(request, head, site),
        sent,
        differences("compression", fields, sent),
        is_sized(sent),
        preferred([b"gzip"], request),
        caching.may_be_kept(FILE, head, site.base_path),
        caching.is_page(head),
        caching.kept_fields(head),
        caching.validators_of(head),
        caching.head_bytes(head.fields),
        caching.fields_of_304(fields),
        embedding.frame_ancestors(b"frame-ancestors 'none'", site),
    ]


def every_rule_once() -> None:
    """Not for every request at every site, which would take long."""
    for number, site in enumerate(SITES):
        site.unmodified()
        site.for_web_app()
        for request in (*HEADS[number :: len(SITES)], *EVERYWHERE):
            every_rule_for_requests(request, site)
        for answer in ANSWERS[number % 4 :: 4]:
            every_rule_for_answers(answer, site)
    choice, tree, names = RouteChoice("nothing"), PrefixTree[int](), ConnectionNames("a", ("*.b",))
    choice.add(make_site((LAB,), JUPYTER), "/lab", "lab")
    tree.set(b"/a/b", 1)
    tree.remove(b"/a/b")
    names.cover(b"a")
    for request in HEADS:
        choice.find(request)
