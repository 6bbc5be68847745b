"""What labgate refused is explained by its rule, and by what a proxy in front did."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.decide import decide
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead
from proxy.rules.pass_through import PassThrough
from proxy.rules.site import Site
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import explain
from tests.symptoms.passed import HUB, KERNEL, KEY, OWN, PORT, SITE, head

CHECKED_HUB = replace(HUB, pass_through=PassThrough(check_origins=True))
LABGATE_REFUSED = [
    (
        head("GET /", host=b"a.example"),
        CHECKED_HUB,
        "host-refused",
        "give it as --public-origin; where a proxy in front",
    ),
    (
        head("POST /user/ada/api/kernels", (b"Origin", b"https://evil.example")),
        CHECKED_HUB,
        "origin-refused",
        "then give it as --public-origin, and let",
    ),
    (
        head("GET /", host=b"a.example"),
        SITE,
        "host-refused",
        "labgate answered 421 because Host a.example is not lab.example.org",
    ),
    (
        head("POST /api/kernels", OWN, host=b"127.0.0.1:8000"),
        SITE,
        "host-refused",
        "the proxy in front rewrites Host and not Origin",
    ),
    (
        head("GET /lab", (b"Referer", b"https://lab.example.org:8443/lab")),
        PORT,
        "host-refused",
        "without the port",
    ),
    (head("GET /", (b"Host", b"b.example")), SITE, "duplicate-host", "2 Host fields"),
    (head("GET /", host=None), SITE, "malformed-request", "no Host"),
    (
        head("POST /api/kernels", (b"Origin", b"https://evil.example")),
        SITE,
        "origin-refused",
        "right to refuse",
    ),
    (
        head("POST /api/kernels", (b"Origin", b"http://lab.example.org")),
        SITE,
        "origin-refused",
        "only the scheme differs. The page was opened over http, and this site is https",
    ),
    (head("POST /a", (b"Origin", b"null")), SITE, "origin-refused", "sandboxed"),
    (
        head("GET /api/me", (b"Sec-Fetch-Site", b"cross-site")),
        SITE,
        "foreign-page",
        "Sec-Fetch-Site: cross-site",
    ),
    (head("GET /logout"), SITE, "foreign-page", "logout"),
    (
        head(KERNEL, KEY, (b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")),
        SITE,
        "websocket-refused",
        "neither Origin nor token",
    ),
    (head("GET /.well-known/acme-challenge/a"), SITE, "not-found", "challenge"),
    (head("BREW /"), SITE, "malformed-request", "method"),
    (head("GET /", (b"Expect", b"a miracle")), SITE, "malformed-request", "Expect: a miracle"),
]


@pytest.mark.parametrize(("received", "site", "symptom", "words"), LABGATE_REFUSED)
def test_labgate_refused(received: RequestHead, site: Site, symptom: str, words: str) -> None:
    refusal = decide(received, site)
    assert isinstance(refusal, Refuse)
    told = explain(Evidence(site, received, refusal.status, refusal))
    assert told is not None
    assert (told.symptom.id, words in told.sentence) == (symptom, True), told.sentence


OTHER_REFUSALS = [
    (Refuse(401, "basic-auth", "Wrong."), "login-in-front"),
    (Refuse(503, "basic-auth", "Busy."), "rate-limited"),
    (Refuse(429, "lockout", "Too many failed logins."), "rate-limited"),
    (Refuse(403, "allow-list", "Not let in."), "access-refused"),
    (Refuse(414, "request-line", "Too long."), "header-limit"),
    (Refuse(431, "fields", "Too many."), "header-limit"),
    (Refuse(400, "framing", "Two lengths.", "Content-Length"), "malformed-request"),
]


@pytest.mark.parametrize(("refusal", "symptom"), OTHER_REFUSALS)
def test_other_refusals(refusal: Refuse, symptom: str) -> None:
    told = explain(Evidence(SITE, head("GET /"), refusal.status, refusal))
    assert told is not None
    assert told.symptom.id == symptom
    assert str(refusal.status) in told.sentence
