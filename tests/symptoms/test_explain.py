"""Every error that passes is explained, and no secret is shown."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from proxy.rules.decide import decide
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead
from proxy.symptoms.evidence import Evidence
from proxy.symptoms.explain import TOO_MANY, explain
from tests.symptoms.passed import HUB, KERNEL, KEY, LOGIN, OWN, SITE, answered, head

UNANSWERED = [
    (503, "connection refused", "upstream-down", "did not answer (connection refused)"),
    (503, TOO_MANY, "rate-limited", "too many at once"),
    (503, "[SSL: CERTIFICATE_VERIFY_FAILED] self-signed", "upstream-down", "(--ca FILE, up"),
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


def test_in_front_of_a_hub_the_address_is_that_of_the_route() -> None:
    reason = "127.0.0.1:4711: Connection refused"
    told = explain(Evidence(HUB, head("GET /user/ada/a"), 503, outcome=reason))
    assert told is not None
    assert str(HUB.upstream) not in told.sentence
    assert f"Jupyter at the target of the route did not answer ({reason})" in told.sentence


def test_jupyter_hangs_up_on_a_large_head() -> None:
    received = head("GET /a", (b"Cookie", b"x" * 62_000))
    told = explain(Evidence(SITE, received, 503, outcome="closed before it answered"))
    assert told is not None
    assert told.symptom.id == "header-limit"


@pytest.mark.parametrize(
    "content",
    [
        b"<center>The plain HTTP request was sent to HTTPS port</center>",
        b"Client sent an HTTP request to an HTTPS server.",
        b"Reason: You're speaking plain HTTP to an SSL-enabled server port.<br />",
    ],
)
def test_a_server_that_wants_https_says_so(content: bytes) -> None:
    told = explain(answered(head("GET /lab"), 400, content=content))
    assert told is not None
    assert told.symptom.id == "malformed-response"
    assert "give its address with https://" in told.sentence


@pytest.mark.parametrize("status", [101, 200, 204, 304])
def test_what_is_no_error_is_not_explained(status: int) -> None:
    assert explain(answered(head("GET /"), status)) is None


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413, 421, 426, 429, *range(500, 512)])
@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("by_jupyter", [True, False])
def test_every_error_is_explained(status: int, method: str, by_jupyter: bool) -> None:
    received = head(f"{method} /api/contents/a")
    told = explain(answered(received, status) if by_jupyter else Evidence(SITE, received, status))
    assert told is not None
    assert told.sentence.endswith((".", ")."))


def test_observe_mode_tells_what_jupyter_said_of_what_labgate_would_have_refused() -> None:
    received = head("PUT /api/contents/a", OWN, LOGIN, host=b"127.0.0.1:8000")
    refusal = decide(received, SITE)
    assert isinstance(refusal, Refuse)
    told = explain(replace(answered(received, 404), refusal=refusal))
    assert told is not None
    assert told.symptom.id == "origin-refused"
    assert told.sentence.startswith("Jupyter answered 404")


EVIL = (b"Origin", b"https://evil.example")


@pytest.mark.parametrize(
    ("line", "symptom"),
    [
        ("GET /api/contents", "origin-refused"),
        ("GET /api", "origin-refused"),
        ("HEAD /lsp/status", "origin-refused"),
        ("GET /lab/api/settings", "origin-refused"),
        ("OPTIONS /api/contents", "not-found"),
        ("GET /static/a.js", "not-found"),
        ("GET /api/contents?token=a", "not-found"),
    ],
)
def test_in_its_api_jupyter_looks_at_the_origin_of_a_get_too(line: str, symptom: str) -> None:
    told = explain(answered(head(line, EVIL), 404))
    assert told is not None
    assert told.symptom.id == symptom, told.sentence


SECRETS = [
    head("GET /api/me?token=S3CRET", (b"Cookie", b"username-x=S3CRET; _xsrf=S3CRET")),
    head("POST /api/kernels?token=S3CRET", (b"X-XSRFToken", b"S3CRET"), LOGIN),
    head("GET /files/a?token=S3CRET", (b"Referer", b"https://u:S3CRET@a.example/?token=S3CRET")),
    head("PUT /a", (b"Origin", b"https://u:S3CRET@a.example"), host=b"u:S3CRET@a.example"),
    head(KERNEL, KEY, (b"Connection", b"S3CRET=\x1b[31m\r"), (b"Upgrade", b"websocket")),
]


@pytest.mark.parametrize("received", SECRETS)
@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_no_secret_and_no_control_character_is_shown(received: RequestHead, status: int) -> None:
    for evidence in (
        answered(received, status),
        Evidence(SITE, received, status, decided(received)),
    ):
        told = explain(evidence)
        assert told is not None
        assert not re.search(r"[\x00-\x1f\x7f]", told.sentence)
        if b"Connection" not in dict(received.fields):
            assert "S3CRET" not in told.sentence


def decided(received: RequestHead) -> Refuse:
    decision = decide(received, SITE)
    return decision if isinstance(decision, Refuse) else Refuse(400, "framing", "Malformed.")
