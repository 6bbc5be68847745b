"""A login without _xsrf lacks that, and no login."""

from __future__ import annotations

import pytest

from proxy.rules.head import RequestHead
from proxy.symptoms.explain import explain
from tests.symptoms.passed import OWN, PRESERVED, answered, head

MISSING = b"'_xsrf' argument missing from POST"
DIFFERS = b"XSRF cookie does not match POST argument"
FORM = "POST /login?next=%2Flab"


@pytest.mark.parametrize(
    ("received", "content", "words"),
    [
        (head(FORM), MISSING, "without the cookie _xsrf, which its login page sets"),
        (head(FORM, OWN), MISSING, "from a browser a proxy in front takes it away"),
        (head(FORM), b"<html>", "without the cookie _xsrf"),
        (head(FORM, host=b"127.0.0.1:8888"), b"<html>", "with its value as the form's _xsrf; from"),
        (head(FORM, (b"Cookie", b"a=b")), MISSING, "without the cookie _xsrf"),
        (head(FORM, (b"Cookie", b"_xsrf=a")), MISSING, "the form's _xsrf of this login"),
        (head(FORM, (b"Cookie", b"_xsrf=a")), DIFFERS, "open the login page again"),
    ],
)
def test_a_login_lacks_xsrf(received: RequestHead, content: bytes, words: str) -> None:
    told = explain(answered(received, 403, content=content))
    assert told is not None
    assert told.symptom.id == "xsrf-lost"
    assert words in told.sentence


def test_where_jupyter_gets_a_public_host_it_may_be_that() -> None:
    for content, perhaps in ((b"<html>", True), (MISSING, False)):
        told = explain(answered(head(FORM), 403, content=content, site=PRESERVED))
        assert told is not None
        assert ("If its pages get 403 too, it refuses Host itself" in told.sentence) is perhaps


@pytest.mark.parametrize("line", ["POST /api/contents", "GET /login", "POST /files/login"])
def test_other_requests_lack_a_login(line: str) -> None:
    told = explain(answered(head(line), 403, content=MISSING))
    assert told is not None
    assert told.symptom.id == "login-missing"
