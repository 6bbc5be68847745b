"""What Jupyter answered is explained by the check that answered, and by whoever caused it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import explain
from tests.symptoms.passed import (
    BENCH,
    HUB,
    KERNEL,
    KEY,
    LOGIN,
    OWN,
    PORT,
    PRESERVED,
    SITE,
    UPGRADE,
    XSRF,
    answered,
    head,
)

JUPYTER_ANSWERED = [
    # A Hub, whose servers serve any Host
    (
        answered(head("GET /user/ada/lab", (b"Cookie", b"jupyterhub-user-bob=x")), 403, site=HUB),
        "login-refused",
        "/user/ada/lab: the Hub, or the server of this route, does not let this user",
    ),
    (
        answered(head("GET /hub/api/users", (b"Authorization", b"token x")), 403, site=HUB),
        "login-refused",
        "a role without the scope",
    ),
    (
        answered(head("GET /user/ada/api/contents"), 403, site=HUB),
        "login-missing",
        "neither Cookie nor token",
    ),
    (
        answered(
            head("POST /hub/login", (b"Cookie", b"a=b")),
            403,
            site=HUB,
            content=b"'_xsrf' argument missing from POST",
        ),
        "xsrf-lost",
        "the cookie _xsrf is missing",
    ),
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
    (
        answered(replace(head(KERNEL, KEY, OWN, LOGIN, *UPGRADE), version=(1, 0)), 400),
        "websocket-not-upgraded",
        "came in HTTP/1.0, which has no Upgrade",
    ),
    (
        answered(head(KERNEL, KEY, LOGIN, (b"Upgrade", b"a, b"), (b"Connection", b"upgrade")), 400),
        "websocket-not-upgraded",
        "with Upgrade: a, b, where websocket alone is taken",
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
    (answered(head("GET /api/me"), 403), "login-missing", "neither Cookie nor token: it has not"),
    (
        answered(head("GET /api/me", (b"Via", b"1.1 caddy")), 403),
        "login-missing",
        "Authorization: token …; if it does, the proxy in front takes it away.",
    ),
    (
        answered(head("GET /api/me", (b"Sec-Fetch-Site", b"same-origin")), 403),
        "cookies-lost",
        "no Cookie came",
    ),
    (answered(head(KERNEL, KEY, OWN), 403), "websocket-refused", "no Cookie came"),
    (
        answered(head("GET /api/me", (b"Cookie", b"_xsrf=2|abc")), 403),
        "login-missing",
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
    (
        answered(head("GET /api", LOGIN), 403, site=PRESERVED),
        "host-refused",
        "Host lab.example.org is neither a loopback address",
    ),
    (
        answered(head("GET /api/me"), 403, site=PRESERVED),
        "login-missing",
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
        answered(head("PATCH /api/contents/no/a", OWN, LOGIN, XSRF), 404),
        "not-found",
        "404 to PATCH /api/contents/no/a: what it names, or the folder that it should go to, is",
    ),
    # 500
    (
        answered(
            head("PUT /api/contents/no/a", OWN, LOGIN, XSRF),
            500,
            content=b'{"message": "Unexpected error [Errno 2] No such file or directory: \'/a\'"}',
        ),
        "not-found",
        "500 to /api/contents/no/a: the file, or the folder that it should go to, is not there.",
    ),
    (
        answered(head("PUT /a", OWN, LOGIN, XSRF), 500, content=b"[Errno 13] Permission denied"),
        "files-refused",
        "Jupyter's user may not read or write there",
    ),
    (
        answered(head("PUT /a", OWN, LOGIN, XSRF), 500, content=b"No space left on device: '/a'"),
        "files-refused",
        "is full",
    ),
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
    (answered(head("PUT /lab", OWN, XSRF, LOGIN), 405), "not-found", "nothing at /lab takes PUT"),
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
