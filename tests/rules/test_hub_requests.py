"""Decisions in front of a Hub, with and without a public origin to check."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Internal, Redirect, Refuse, Tunnel
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.hub_requests import HUB_HEALTH_PATH
from proxy.rules.networks import Networks
from proxy.rules.pass_through import PassThrough
from proxy.rules.site import Site, WebOrigin, make_site
from tests.heads import JUPYTER, get
from tests.rules.test_refusals import assert_is_a_sentence, at, refuse

HUB = WebOrigin("https", "hub.example.org", 443)
OPEN = make_site((HUB,), JUPYTER, preserve=True, pass_through=PassThrough(tls=True))
CHECKED = make_site(
    (HUB,), JUPYTER, preserve=True, pass_through=PassThrough(check_origins=True, tls=True)
)
SUBDOMAINS = make_site(
    (HUB,),
    JUPYTER,
    preserve=True,
    pass_through=PassThrough(check_origins=True, subdomains=True, tls=True),
)
OTHER_PORT, PLAIN = (
    make_site((public,), JUPYTER, preserve=True, pass_through=SUBDOMAINS.pass_through)
    for public in (HUB._replace(port=8443), HUB._replace(scheme="http", port=80))
)
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket")


@pytest.mark.parametrize(
    "head",
    [
        get(b"Host: anything:99", b"Origin: https://evil.example"),
        get(b"Host: h", target=b"/.labgate/health"),
        get(b"Host: h", target=b"/.well-known/acme-challenge/x"),
        get(b"Host: h", target=b"/hub/logout"),
        get(b"Host: h", b"Sec-Fetch-Site: cross-site", method=b"POST"),
        get(b"Host: "),
    ],
)
def test_by_default_the_hub_decides(head: RequestHead) -> None:
    assert decide(head, OPEN) == Forward(head)


def test_a_websocket_without_an_origin_passes() -> None:
    head = get(b"Host: h", *UPGRADE)
    assert decide(head, OPEN) == Tunnel(head)


def assert_refused(head: RequestHead, site: Site, expected: Refuse) -> None:
    decision = decide(head, site)
    assert isinstance(decision, Refuse)
    assert replace(decision, sentence="") == expected
    assert_is_a_sentence(decision.sentence)


NO_HOST = [
    ((), None),
    ((b"Host: a", b"Host: b"), b"a, b"),
    ((b"Host: a b",), b"a b"),
]


@pytest.mark.parametrize(("lines", "value"), NO_HOST)
def test_a_host_that_is_none_is_refused(lines: tuple[bytes, ...], value: bytes | None) -> None:
    assert_refused(get(*lines), OPEN, refuse(400, "host", "Host", value, close=True))


def test_http_1_0_needs_no_host_but_has_not_two() -> None:
    head = at((1, 0), get())
    assert decide(head, OPEN) == Forward(head)
    both = at((1, 0), get(b"Host: a", b"Host: b"))
    assert_refused(both, OPEN, refuse(400, "host", "Host", b"a, b", close=True))


def test_a_client_that_is_not_allowed_is_refused() -> None:
    site = replace(OPEN, allow=Networks([ip_network("192.0.2.0/24")]))
    head = get(b"Host: h")
    assert_refused(head, site, refuse(403, "allow-list", close=True))
    allowed = head.from_peer("192.0.2.7")
    assert decide(allowed, site) == Forward(allowed)


@pytest.mark.parametrize("site", [OPEN, CHECKED, SUBDOMAINS], ids=["open", "checked", "subdomains"])
def test_the_health_check_needs_no_public_host(site: Site) -> None:
    """A kubelet probes the pod's address."""
    probe = get(b"Host: 10.1.2.3:8000", target=HUB_HEALTH_PATH)
    assert decide(probe, site) == Internal(probe)
    assert isinstance(decide(get(target=HUB_HEALTH_PATH), site), Refuse), "no Host at all"


def on_plain_http(head: RequestHead) -> RequestHead:
    return replace(head, arrival=Arrival("203.0.113.7", plain_redirects=True))


REDIRECTS = [
    (b"Host: hub.example.org", 443, "https://hub.example.org/x?y"),
    (b"Host: hub.example.org:", 443, "https://hub.example.org/x?y"),
    (b"Host: hub.example.org:80", 8443, "https://hub.example.org:8443/x?y"),
    (b"Host: [2001:db8::1]", 443, "https://[2001:db8::1]/x?y"),
    (b"Host: [2001:db8::1]:80", 443, "https://[2001:db8::1]/x?y"),
]


@pytest.mark.parametrize(("host", "port", "location"), REDIRECTS)
def test_plain_http_is_redirected_to_the_same_host(host: bytes, port: int, location: str) -> None:
    site = replace(OPEN, domains=(HUB._replace(port=port),))
    head = on_plain_http(get(host, target=b"/x?y"))
    assert decide(head, site) == Redirect(301, location)
    assert decide(replace(head, method=b"HEAD"), site) == Redirect(301, location)
    assert decide(replace(head, method=b"POST"), site) == Redirect(308, location)


@pytest.mark.parametrize(("lines", "value"), [((), None), ((b"Host:",), b"")])
def test_without_a_host_there_is_nowhere_to_redirect_to(
    lines: tuple[bytes, ...], value: bytes | None
) -> None:
    head = on_plain_http(at((1, 0), get(*lines)))
    assert_refused(head, OPEN, refuse(400, "host", "Host", value))


HUB_ORIGIN, ADA_ORIGIN = b"Origin: https://hub.example.org", b"Origin: https://ada.hub.example.org"
ADA, BOB = b"Host: ada.hub.example.org", b"Host: bob.hub.example.org"
LINK = (
    b"Sec-Fetch-Site: same-site",
    b"Sec-Fetch-Mode: navigate",
    b"Sec-Fetch-Dest: document",
)
PASSED = [
    (CHECKED, get(b"Host: hub.example.org")),
    (CHECKED, get(b"Host: HUB.example.org:443", HUB_ORIGIN)),
    (SUBDOMAINS, get(ADA)),
    (SUBDOMAINS, get(ADA, ADA_ORIGIN)),
    (SUBDOMAINS, get(b"Host: ada.hub.example.org:443", ADA_ORIGIN)),
    (SUBDOMAINS, get(ADA + b":443", ADA_ORIGIN + b":443", b"Sec-Fetch-Site: same-origin")),
    (SUBDOMAINS, get(ADA, HUB_ORIGIN, b"Sec-Fetch-Site: same-site")),
    (SUBDOMAINS, get(ADA, ADA_ORIGIN, b"Sec-Fetch-Site: same-origin")),
    (SUBDOMAINS, get(ADA, *LINK)),
    (OTHER_PORT, get(ADA + b":8443", ADA_ORIGIN + b":8443", b"Sec-Fetch-Site: same-origin")),
    (PLAIN, get(ADA)),
    (PLAIN, get(ADA + b":80", b"Origin: http://ada.hub.example.org")),
]


@pytest.mark.parametrize(("site", "head"), PASSED)
def test_with_a_public_origin_its_own_pages_pass(site: Site, head: RequestHead) -> None:
    assert decide(head, site) == Forward(head)


REFUSED = [
    (CHECKED, get(b"Host: other.example.org"), refuse(421, "host", "Host", b"other.example.org")),
    (CHECKED, get(ADA), refuse(421, "host", "Host", b"ada.hub.example.org")),
    (
        CHECKED,
        get(b"Host: HUB.example.org:8443"),
        refuse(421, "host", "Host", b"HUB.example.org:8443"),
    ),
    (CHECKED, at((1, 0), get()), refuse(421, "host", "Host")),
    (
        CHECKED,
        get(b"Host: hub.example.org", b"Origin: https://evil.example"),
        refuse(403, "origin", "Origin", b"https://evil.example"),
    ),
    (
        CHECKED,
        get(b"Host: hub.example.org", b"Origin: null"),
        refuse(403, "origin", "Origin", b"null"),
    ),
    (
        CHECKED,
        get(b"Host: hub.example.org", HUB_ORIGIN, HUB_ORIGIN),
        refuse(403, "origin", "Origin", b"https://hub.example.org, https://hub.example.org"),
    ),
    (
        CHECKED,
        get(b"Host: hub.example.org", *UPGRADE),
        replace(
            refuse(403, "websocket-origin", "Origin"),
            hint="programs: send one, or set site.websocket_without_origin",
        ),
    ),
    (
        SUBDOMAINS,
        get(b"Host: evilhub.example.org"),
        refuse(421, "host", "Host", b"evilhub.example.org"),
    ),
    (
        SUBDOMAINS,
        get(BOB, ADA_ORIGIN),
        refuse(403, "origin", "Origin", b"https://ada.hub.example.org"),
    ),
    (
        SUBDOMAINS,
        get(b"Host: hub.example.org", ADA_ORIGIN),
        refuse(403, "origin", "Origin", b"https://ada.hub.example.org"),
    ),
    (
        SUBDOMAINS,
        get(b"Host: ada.hub.example.org:8443"),
        refuse(421, "host", "Host", b"ada.hub.example.org:8443"),
    ),
    (
        SUBDOMAINS,
        get(BOB, b"Sec-Fetch-Site: same-site"),
        refuse(403, "fetch-site", "Sec-Fetch-Site", b"same-site"),
    ),
    (
        SUBDOMAINS,
        get(ADA, ADA_ORIGIN, b"Sec-Fetch-Site: same-site"),
        refuse(403, "fetch-site", "Sec-Fetch-Site", b"same-site"),
    ),
    (
        SUBDOMAINS,
        get(BOB, ADA_ORIGIN, *UPGRADE),
        refuse(403, "origin", "Origin", b"https://ada.hub.example.org"),
    ),
    (
        CHECKED,
        get(b"Host: hub.example.org", b"Sec-Fetch-Site: cross-site"),
        refuse(403, "fetch-site", "Sec-Fetch-Site", b"cross-site"),
    ),
]


@pytest.mark.parametrize(("site", "head", "expected"), REFUSED)
def test_and_other_sites_do_not(site: Site, head: RequestHead, expected: Refuse) -> None:
    assert_refused(head, site, expected)
