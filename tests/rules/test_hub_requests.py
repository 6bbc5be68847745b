"""Decisions in front of a Hub, with and without a public origin to check."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Internal, Redirect, Refuse, Tunnel
from proxy.rules.head import Arrival, RequestHead
from proxy.rules.hub_requests import HUB_HEALTH_PATH
from proxy.rules.pass_through import PassThrough
from proxy.rules.site import Site, WebOrigin, make_site
from tests.heads import JUPYTER, get

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


@pytest.mark.parametrize("lines", [(), (b"Host: a", b"Host: b"), (b"Host: a b",)])
def test_a_host_that_is_none_is_refused(lines: tuple[bytes, ...]) -> None:
    decision = decide(get(*lines), OPEN)
    assert isinstance(decision, Refuse)
    assert decision.status == 400


@pytest.mark.parametrize("site", [OPEN, CHECKED, SUBDOMAINS], ids=["open", "checked", "subdomains"])
def test_the_health_check_needs_no_public_host(site: Site) -> None:
    """A kubelet probes the pod's address."""
    probe = get(b"Host: 10.1.2.3:8000", target=HUB_HEALTH_PATH)
    assert decide(probe, site) == Internal(probe)
    assert isinstance(decide(get(target=HUB_HEALTH_PATH), site), Refuse), "no Host at all"


REDIRECTS = [
    (b"Host: hub.example.org", 443, "https://hub.example.org/x?y"),
    (b"Host: hub.example.org:80", 8443, "https://hub.example.org:8443/x?y"),
    (b"Host: [2001:db8::1]:80", 443, "https://[2001:db8::1]/x?y"),
]


@pytest.mark.parametrize(("host", "port", "location"), REDIRECTS)
def test_plain_http_is_redirected_to_the_same_host(host: bytes, port: int, location: str) -> None:
    site = replace(OPEN, domains=(HUB._replace(port=port),))
    head = replace(get(host, target=b"/x?y"), arrival=Arrival("203.0.113.7", plain_redirects=True))
    assert decide(head, site) == Redirect(301, location)
    nowhere = replace(head, fields=((b"Host", b""),))
    refusal = decide(nowhere, site)
    assert isinstance(refusal, Refuse)
    assert refusal.status == 400


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
    (SUBDOMAINS, get(ADA, HUB_ORIGIN, b"Sec-Fetch-Site: same-site")),
    (SUBDOMAINS, get(ADA, ADA_ORIGIN, b"Sec-Fetch-Site: same-origin")),
    (SUBDOMAINS, get(ADA, *LINK)),
]


@pytest.mark.parametrize(("site", "head"), PASSED)
def test_with_a_public_origin_its_own_pages_pass(site: object, head: RequestHead) -> None:
    assert decide(head, site) == Forward(head)  # type: ignore[arg-type]


REFUSED = [
    (CHECKED, get(b"Host: other.example.org"), 421, "host"),
    (CHECKED, get(ADA), 421, "host"),
    (CHECKED, get(b"Host: hub.example.org:8443"), 421, "host"),
    (CHECKED, get(b"Host: hub.example.org", b"Origin: https://evil.example"), 403, "origin"),
    (CHECKED, get(b"Host: hub.example.org", b"Origin: null"), 403, "origin"),
    (CHECKED, get(b"Host: hub.example.org", HUB_ORIGIN, HUB_ORIGIN), 403, "origin"),
    (CHECKED, get(b"Host: hub.example.org", *UPGRADE), 403, "websocket-origin"),
    (SUBDOMAINS, get(b"Host: evilhub.example.org"), 421, "host"),
    (SUBDOMAINS, get(BOB, ADA_ORIGIN), 403, "origin"),
    (SUBDOMAINS, get(b"Host: hub.example.org", ADA_ORIGIN), 403, "origin"),
    (SUBDOMAINS, get(b"Host: ada.hub.example.org:8443"), 421, "host"),
    (SUBDOMAINS, get(BOB, b"Sec-Fetch-Site: same-site"), 403, "fetch-site"),
    (SUBDOMAINS, get(BOB, ADA_ORIGIN, *UPGRADE), 403, "origin"),
    (CHECKED, get(b"Host: hub.example.org", b"Sec-Fetch-Site: cross-site"), 403, "fetch-site"),
]


@pytest.mark.parametrize(("site", "head", "status", "rule"), REFUSED)
def test_and_other_sites_do_not(site: object, head: RequestHead, status: int, rule: str) -> None:
    decision = decide(head, site)  # type: ignore[arg-type]
    assert isinstance(decision, Refuse)
    assert (decision.status, decision.rule) == (status, rule)
