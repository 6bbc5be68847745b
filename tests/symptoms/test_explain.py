"""Every error that passes is explained, and whose doing it was."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from proxy.rules.decide import decide
from proxy.rules.decision import Forward, Refuse, Tunnel
from proxy.rules.head import Arrival, Field, RequestHead, ResponseHead
from proxy.rules.request import upstream_fields
from proxy.rules.site import Site, WebOrigin, make_site
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import TOO_MANY, explain
from proxy.symptoms.in_front import in_front

UPSTREAM = WebOrigin("http", "127.0.0.1", 8888)
SITE = make_site((WebOrigin("https", "lab.example.org", 443),), UPSTREAM)
PORT = make_site((WebOrigin("https", "lab.example.org", 8443),), UPSTREAM)
BENCH = make_site((WebOrigin("http", "localhost", 8080),), UPSTREAM)
"""As of ``labgate inspect --upstream``, perhaps behind another proxy."""
PRESERVED = replace(SITE, preserve=True)
LOGIN = (b"Cookie", b"username-lab-example-org=2|1:0; _xsrf=2|abc")
XSRF = (b"X-XSRFToken", b"2|abc")
OWN = (b"Origin", b"https://lab.example.org")
KEY = (b"Sec-WebSocket-Key", b"dGhlIHNhbXBsZSBub25jZQ==")
UPGRADE = ((b"Upgrade", b"websocket"), (b"Connection", b"Upgrade"))
KERNEL = "GET /api/kernels/1/channels"


def head(line: str, *fields: Field, host: bytes | None = b"lab.example.org") -> RequestHead:
    method, target = line.encode().split(b" ")
    hosts = () if host is None else ((b"Host", host),)
    return RequestHead(method, target, (1, 1), (*hosts, *fields), Arrival("203.0.113.7"))


def answered(
    came: RequestHead,
    status: int,
    *,
    sent: RequestHead | None = None,
    content: bytes = b"",
    site: Site = SITE,
) -> Evidence:
    """Jupyter answered, to what labgate sends up: in observe mode also what it would refuse."""
    decision = decide(came, site)
    if sent is None and isinstance(decision, Forward | Tunnel):
        websocket = isinstance(decision, Tunnel)
        sent = replace(came, fields=tuple(upstream_fields(came, site, websocket=websocket)))
    response = ResponseHead(status, b"", ())
    return Evidence(site, came, status, None, sent or came, response, content)


JUPYTER_ANSWERED = [
    # Origin
    (
        answered(head("PUT /api/contents/a", OWN, LOGIN, host=b"127.0.0.1:8888"), 404),
        "origin-refused",
        (
            "Jupyter answered 404 because Origin https://lab.example.org is not Host "
            "127.0.0.1:8888. Host came as 127.0.0.1:8888, while the page is at lab.example.org: "
            "the proxy in front rewrites Host and not Origin"
        ),
    ),
    (
        answered(
            head("POST /api/kernels", (b"Origin", b"https://lab.example.org:8443"), LOGIN),
            404,
            site=PORT,
        ),
        "origin-refused",
        "without the port (nginx: $host; $http_host has the port)",
    ),
    (
        answered(head("POST /login", (b"Origin", b"null"), LOGIN), 404),
        "origin-refused",
        "Referrer-Policy: no-referrer",
    ),
    (
        answered(
            head("POST /api/kernels", OWN, LOGIN, host=b"Lab.example.org"), 404, site=PRESERVED
        ),
        "origin-refused",
        "upper and lower case only",
    ),
    (
        answered(
            head("POST /api/kernels", OWN, LOGIN, host=b"lab.example.org:443"), 404, site=PRESERVED
        ),
        "origin-refused",
        "the scheme's own",
    ),
    (
        answered(head("PUT /a", (b"Origin", b"https://lab.example.org:9000"), LOGIN), 404),
        "origin-refused",
        "a page at another port of this name asked",
    ),
    (
        answered(
            head("PUT /a", (b"Origin", b"http://localhost:9000"), LOGIN, host=b"localhost:8080"),
            404,
            site=BENCH,
        ),
        "origin-refused",
        "a page at another port of this name asked",
    ),
    (
        answered(
            head(
                "PUT /a",
                (b"Origin", b"https://localhost:8443"),
                (b"X-Forwarded-For", b"::1"),
                host=b"localhost:8080",
            ),
            404,
            site=BENCH,
        ),
        "origin-refused",
        "the proxy in front rewrites Host and not Origin; or a page at another port",
    ),
    (
        answered(
            head(
                "PUT /a",
                (b"Origin", b"https://localhost:8443"),
                (b"Sec-Fetch-Site", b"same-origin"),
                host=b"localhost:8080",
            ),
            404,
            site=BENCH,
        ),
        "origin-refused",
        "Host came as localhost:8080, while the page is at localhost:8443: the proxy in front",
    ),
    (
        answered(
            head("PUT /a", (b"Origin", b"https://localhost:8443"), LOGIN, host=b"localhost"),
            404,
            site=BENCH,
        ),
        "origin-refused",
        "the proxy in front sends Host without the port (nginx: $host",
    ),
    (
        answered(
            head("PUT /a", (b"Origin", b"https://a.example"), LOGIN, host=b"127.0.0.1:8080"),
            404,
            site=BENCH,
        ),
        "origin-refused",
        "Origin https://a.example is not Host 127.0.0.1:8080: the proxy in front rewrites Host and",
    ),
    (
        answered(head("POST /api/kernels", (b"Origin", b"https://evil.example"), LOGIN), 404),
        "origin-refused",
        "a page of another site asked, and that was right to refuse",
    ),
    (
        answered(head(KERNEL, KEY, *UPGRADE, OWN, LOGIN, host=b"127.0.0.1:8888"), 403),
        "origin-refused",
        "Origin https://lab.example.org is not Host 127.0.0.1:8888",
    ),
    (
        answered(
            head(KERNEL, KEY, OWN, LOGIN, host=b"127.0.0.1:8888"),
            403,
            content=b"Cross origin websockets not allowed",
        ),
        "origin-refused",
        "Origin https://lab.example.org is not Host 127.0.0.1:8888",
    ),
    # Upgrade
    (answered(head(KERNEL, KEY, OWN, LOGIN), 400), "websocket-not-upgraded", "without Upgrade:"),
    (
        answered(head(KERNEL, OWN, LOGIN, (b"Connection", b"close")), 400),
        "websocket-not-upgraded",
        "came without Upgrade, and Connection: close: the proxy in front takes it away",
    ),
    (
        answered(head(KERNEL, LOGIN, (b"Upgrade", b"websocket"), (b"Connection", b"close")), 400),
        "websocket-not-upgraded",
        "came with Upgrade, but with Connection: close",
    ),
    (
        answered(head("GET /api/events/subscribe", OWN, LOGIN), 400),
        "websocket-not-upgraded",
        "proxy_set_header Upgrade $http_upgrade",
    ),
    (
        answered(head("GET /terminals/websocket/1", OWN, LOGIN), 400),
        "websocket-not-upgraded",
        "without Upgrade",
    ),
    (answered(head("PUT /api/contents/a", OWN, LOGIN), 400), "malformed-request", "its log"),
    (
        answered(head("GET /api", (b"Host", b"a.example")), 400),
        "duplicate-host",
        "2 Host fields, lab.example.org, a.example",
    ),
    (
        answered(head(KERNEL, KEY, (b"Sec-WebSocket-Version", b"8")), 426),
        "websocket-version",
        "Sec-WebSocket-Version is 8",
    ),
    # Login and XSRF
    (answered(head("GET /api/me"), 403), "cookies-lost", "no Cookie came"),
    (answered(head(KERNEL, KEY, OWN), 403), "websocket-refused", "no Cookie came"),
    (
        answered(head("GET /api/me", (b"Cookie", b"_xsrf=2|abc")), 403),
        "login-refused",
        "has not logged in",
    ),
    (answered(head("GET /api/me", LOGIN), 403), "login-refused", "it has expired"),
    (
        answered(head("GET /api/me", (b"Authorization", b"token secret")), 403),
        "login-refused",
        "does not know the token",
    ),
    (answered(head("GET /api/me?token=secret"), 403), "login-refused", "does not know the token"),
    (
        answered(head(f"{KERNEL}?token=secret", KEY, OWN), 403),
        "login-refused",
        "does not know the token",
    ),
    (answered(head("POST /api/kernels", OWN, LOGIN), 403), "xsrf-lost", "X-XSRFToken is missing"),
    (
        answered(head("POST /api/kernels", OWN, LOGIN, (b"X-XSRFToken", b"2|other")), 403),
        "xsrf-lost",
        "two servers share this name",
    ),
    (
        answered(head("POST /api/kernels", OWN, XSRF, (b"Cookie", b"username-a=1")), 403),
        "xsrf-lost",
        "the cookie _xsrf is missing",
    ),
    (answered(head("POST /api/kernels", OWN, XSRF), 403), "cookies-lost", "no Cookie came"),
    (answered(head("POST /api/kernels", OWN, XSRF, LOGIN), 403), "login-refused", "expired"),
    # Host
    (
        answered(head("GET /lab", LOGIN), 403, site=PRESERVED),
        "host-refused",
        "Host lab.example.org is neither a loopback address",
    ),
    (
        answered(head("GET /api/me", LOGIN), 403, site=PRESERVED),
        "login-refused",
        "If its pages get 403 too, it refuses Host itself",
    ),
    # Referer
    (
        answered(head("GET /files/a.txt", LOGIN), 403),
        "referer-refused",
        "there is no Referer",
    ),
    (
        answered(
            head("GET /files/a", LOGIN, (b"Referer", b"https://a.example/?token=secret")),
            403,
            sent=head(
                "GET /files/a",
                LOGIN,
                (b"Referer", b"https://lab.example.org/?token=secret"),
                host=b"127.0.0.1:8888",
            ),
        ),
        "referer-refused",
        "Referer's lab.example.org is not Host 127.0.0.1:8888",
    ),
    # 404
    (answered(head("GET /api/contents/nothing", LOGIN), 404), "not-found", "/api/contents/nothing"),
    (
        answered(head("GET /api/contents/a%2520b", LOGIN), 404),
        "path-decoded",
        "was encoded twice",
    ),
    (
        answered(head("GET /static/a.js", LOGIN), 404, site=replace(SITE, base_path="/lab1/")),
        "base-url",
        "not below its base_url /lab1/",
    ),
    (answered(head("PUT /lab", OWN, XSRF, LOGIN), 405), "not-found", "nothing at /lab"),
    # The rest
    (answered(head("PUT /api/contents/a", OWN), 413), "body-limit", "max_body_size"),
    (answered(head("GET /"), 421), "host-refused", "between labgate and Jupyter"),
    (answered(head("GET /"), 429), "rate-limited", "limits how many"),
    (answered(head("GET /"), 414), "header-limit", "64 KiB"),
    (answered(head("GET /"), 431), "header-limit", "cookies"),
    (answered(head("GET /"), 500), "jupyter-error", "traceback"),
    (answered(head("GET /"), 501), "jupyter-error", "traceback"),
    (answered(head("GET /"), 502), "upstream-down", "declares the kernel dead"),
    (answered(head("GET /"), 503), "upstream-down", "between labgate and Jupyter"),
    (answered(head("GET /"), 504), "upstream-timeout", "did not wait"),
    (answered(head("GET /"), 418), "malformed-request", "418"),
]


@pytest.mark.parametrize(("evidence", "symptom", "words"), JUPYTER_ANSWERED)
def test_jupyter_answered(evidence: Evidence, symptom: str, words: str) -> None:
    told = explain(evidence)
    assert told is not None
    assert (told.symptom.id, words in told.sentence) == (symptom, True), told.sentence


LABGATE_REFUSED = [
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


@pytest.mark.parametrize(("came", "site", "symptom", "words"), LABGATE_REFUSED)
def test_labgate_refused(came: RequestHead, site: Site, symptom: str, words: str) -> None:
    refusal = decide(came, site)
    assert isinstance(refusal, Refuse)
    told = explain(Evidence(site, came, refusal.status, refusal))
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


UNANSWERED = [
    (503, "connection refused", "upstream-down", "did not answer (connection refused)"),
    (503, TOO_MANY, "rate-limited", "too many at once"),
    (504, "", "upstream-timeout", "took longer"),
    (502, "not HTTP", "malformed-response", "does not speak HTTP/1.1 as it should (not HTTP)"),
    (500, "", "proxy-error", "fault of its own"),
    (404, "", "not-found", "nothing at /a"),
    (400, "bad chunk", "malformed-request", "content (bad chunk)"),
    (408, "", "malformed-request", "408"),
]


@pytest.mark.parametrize(("status", "outcome", "symptom", "words"), UNANSWERED)
def test_nothing_came_from_jupyter(status: int, outcome: str, symptom: str, words: str) -> None:
    told = explain(Evidence(SITE, head("GET /a"), status, outcome=outcome))
    assert told is not None
    assert (told.symptom.id, words in told.sentence) == (symptom, True), told.sentence


def test_jupyter_hangs_up_on_a_large_head() -> None:
    came = head("GET /a", (b"Cookie", b"x" * 62_000))
    told = explain(Evidence(SITE, came, 503, outcome="closed before it answered"))
    assert told is not None
    assert told.symptom.id == "header-limit"


@pytest.mark.parametrize("status", [101, 200, 204, 304])
def test_what_is_no_error_is_not_explained(status: int) -> None:
    assert explain(answered(head("GET /"), status)) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 421, 426, 429, *range(500, 512)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("by_jupyter", [True, False])
def test_every_error_is_explained(status: int, method: str, by_jupyter: bool) -> None:
    came = head(f"{method} /api/contents/a")
    told = explain(answered(came, status) if by_jupyter else Evidence(SITE, came, status))
    assert told is not None
    assert told.sentence.endswith((".", ")."))


def test_observe_mode_tells_what_jupyter_said_of_what_labgate_would_have_refused() -> None:
    came = head("PUT /api/contents/a", OWN, LOGIN, host=b"127.0.0.1:8000")
    refusal = decide(came, SITE)
    assert isinstance(refusal, Refuse)
    told = explain(replace(answered(came, 404), refusal=refusal))
    assert told is not None
    assert told.symptom.id == "origin-refused"
    assert told.sentence.startswith("Jupyter answered 404")


OWN_CALL = ((b"Sec-Fetch-Site", b"same-origin"), (b"Sec-Fetch-Mode", b"cors"))
IN_FRONT = [
    (head("GET /lab"), []),
    (head("GET /api/me", *OWN_CALL, LOGIN), []),
    (head("GET /api/me", *OWN_CALL), ["Cookie"]),
    (head("GET /api/me", *OWN_CALL, (b"Authorization", b"token a")), []),
    (head("POST /api/kernels", *OWN_CALL, LOGIN), ["Origin"]),
    (head("POST /api/kernels", *OWN_CALL, LOGIN, OWN), []),
    (head("POST /api/kernels", OWN, LOGIN, host=b"LAB.example.org"), []),
    (head("POST /api/kernels", OWN, LOGIN, host=b"jupyter:8888"), ["Host"]),
    (head("GET /lab", (b"Referer", b"https://evil.example/"), host=b"jupyter:8888"), []),
    (head(KERNEL, KEY, OWN, LOGIN, host=b"jupyter:8888"), ["Upgrade", "Host"]),
    (
        head(KERNEL, KEY, OWN, LOGIN, (b"Upgrade", b"websocket"), (b"Connection", b"Upgrade")),
        [],
    ),
]


@pytest.mark.parametrize(("came", "fields"), IN_FRONT)
def test_what_a_proxy_in_front_did(came: RequestHead, fields: list[str]) -> None:
    assert [found.field for found in in_front(came, SITE)] == fields


SECRETS = [
    head("GET /api/me?token=S3CRET", (b"Cookie", b"username-x=S3CRET; _xsrf=S3CRET")),
    head("POST /api/kernels?token=S3CRET", (b"X-XSRFToken", b"S3CRET"), LOGIN),
    head("GET /files/a?token=S3CRET", (b"Referer", b"https://u:S3CRET@a.example/?token=S3CRET")),
    head("PUT /a", (b"Origin", b"https://u:S3CRET@a.example"), host=b"u:S3CRET@a.example"),
    head(KERNEL, KEY, (b"Connection", b"S3CRET=\x1b[31m\r"), (b"Upgrade", b"websocket")),
]


@pytest.mark.parametrize("came", SECRETS)
@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_no_secret_and_no_control_character_is_shown(came: RequestHead, status: int) -> None:
    for evidence in (answered(came, status), Evidence(SITE, came, status, decided(came))):
        told = explain(evidence)
        assert told is not None
        assert not re.search(r"[\x00-\x1f\x7f]", told.sentence)
        if b"Connection" not in dict(came.fields):
            assert "S3CRET" not in told.sentence


def decided(came: RequestHead) -> Refuse:
    decision = decide(came, SITE)
    return decision if isinstance(decision, Refuse) else Refuse(400, "framing", "Malformed.")
