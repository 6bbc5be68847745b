"""The login and the calls of a page: one answer, one finding or none."""

from __future__ import annotations

import json

import pytest

from proxy.doctor.answer import Answer
from proxy.doctor.judge.login import (
    judge_cached,
    judge_call,
    judge_flags,
    judge_known,
    judge_login,
    judge_login_page,
    judge_method,
    judge_readable_xsrf,
    judge_secret,
)

CSP = ("Content-Security-Policy", "report-uri /api/security/csp-report")
LOGIN = ("Set-Cookie", "username-localhost-8443=secret; HttpOnly; Path=/")
PAGE = b"<h1>Forbidden</h1>"


def answer(status: int, message: str | None = None, *fields: tuple[str, str]) -> Answer:
    """An answer; with ``message`` one of Jupyter's API."""
    body = PAGE if message is None else json.dumps({"message": message, "reason": None}).encode()
    return Answer("POST /login", status, fields, body, failure="" if status else "reset")


MISSING = answer(403, "'_xsrf' argument missing from POST")
DIFFERS = answer(403, "XSRF cookie does not match POST argument")
OK = answer(302, None, ("Location", "/"), LOGIN)
NOT_FOUND = answer(404, None, CSP)

LOGINS = [
    (OK, None, None),
    (answer(302, None, ("Location", "/")), None, "cookies-lost"),
    (answer(302, None, ("Location", "https://sso.example/")), None, "sso-redirect"),
    (answer(401), None, "login-refused"),
    (answer(401, None, ("WWW-Authenticate", "Basic")), None, "login-in-front"),
    (NOT_FOUND, OK, "origin-refused"),
    (NOT_FOUND, answer(401), "origin-refused"),
    (NOT_FOUND, NOT_FOUND, "jupyter-error"),
    (answer(403), OK, "origin-refused"),
    (DIFFERS, DIFFERS, "cookies-lost"),
    (MISSING, MISSING, "xsrf-lost"),
    (answer(403), answer(403), "access-refused"),
    (answer(405), None, "method-refused"),
    (answer(502), None, "upstream-down"),
    (answer(504), None, "upstream-timeout"),
    (answer(429), None, "rate-limited"),
    (answer(0), None, "unreachable"),
]


@pytest.mark.parametrize(("given", "without_origin", "identifier"), LOGINS)
def test_login(given: Answer, without_origin: Answer | None, identifier: str | None) -> None:
    found = judge_login(given, without_origin)
    assert (found and found.id) == identifier


def test_a_wrong_token_is_told_whatever_else_is_refused() -> None:
    refused = judge_secret(answer(401))
    assert refused is not None
    assert (refused.id, refused.field) == ("login-refused", "the token or the password")
    assert refused.mends == {}
    assert judge_secret(OK) is judge_secret(answer(403)) is None


def test_a_refused_origin_tells_the_host_that_jupyter_received() -> None:
    found = judge_login(NOT_FOUND, OK)
    assert found is not None
    assert "gets 302" in found.received
    assert found.received.endswith("localhost-8443")
    assert "secret" not in found.received


CALLS = [
    (answer(201), None, None),
    (answer(400, "Missing field"), None, None),
    (answer(404, "Not Found"), answer(400, "Missing field"), "origin-refused"),
    (answer(403), answer(400, "Missing field"), "origin-refused"),
    (MISSING, MISSING, "xsrf-lost"),
    (DIFFERS, DIFFERS, "xsrf-lost"),
    (answer(403, "Forbidden"), answer(403, "Forbidden"), "cookies-lost"),
    (answer(403), answer(403), "access-refused"),
    (answer(400), None, "jupyter-error"),
    (answer(413), None, "body-limit"),
    (answer(302, None, ("Location", "/sso")), None, "sso-redirect"),
    (answer(504), None, "upstream-timeout"),
]


@pytest.mark.parametrize(("given", "without_origin", "identifier"), CALLS)
def test_call(given: Answer, without_origin: Answer | None, identifier: str | None) -> None:
    found = judge_call(given, without_origin)
    assert (found and found.id) == identifier


METHODS = [
    (answer(204), None),
    (answer(404, "Session not found"), None),
    (answer(500, "No such directory"), None),
    (answer(403), "method-refused"),
    (answer(405), "method-refused"),
    (answer(404), "method-refused"),
    (answer(502), "upstream-down"),
]


@pytest.mark.parametrize(("given", "identifier"), METHODS)
def test_method(given: Answer, identifier: str | None) -> None:
    found = judge_method(given)
    assert (found and found.id) == identifier


XSRF = ("Set-Cookie", "_xsrf=2|a|b; Path=/")
PAGES = [
    (answer(200, None, CSP, XSRF), None),
    (answer(200, None, CSP), "cookies-lost"),
    (answer(200), "jupyter-error"),
    (answer(302, None, ("Location", "/sso")), "sso-redirect"),
]


@pytest.mark.parametrize(("given", "identifier"), PAGES)
def test_login_page(given: Answer, identifier: str | None) -> None:
    found = judge_login_page(given)
    assert (found and found.id) == identifier


@pytest.mark.parametrize(
    ("status", "identifier"), [(200, None), (401, "cookies-lost"), (403, "cookies-lost")]
)
def test_known(status: int, identifier: str | None) -> None:
    found = judge_known(answer(status, "Forbidden"))
    assert (found and found.id) == identifier


def cookie(*attributes: str) -> Answer:
    return answer(302, None, ("Set-Cookie", "; ".join(["username-h=v", *attributes])))


FLAGS = [
    (cookie("HttpOnly", "Secure"), cookie("Secure"), None, None, ""),
    (cookie("HttpOnly"), cookie("Secure"), None, "forwarded-proto", "if the client itself"),
    (cookie("HttpOnly"), cookie("HttpOnly"), None, "forwarded-proto", "without Secure"),
    (cookie("HttpOnly"), cookie("HttpOnly"), False, "forwarded-proto", "nor does Jupyter"),
    (cookie("Secure"), cookie("Secure"), None, "cookie-flags", "without HttpOnly"),
    (answer(200), answer(200), None, None, ""),
]


@pytest.mark.parametrize(("plain", "claimed", "trusts", "identifier", "told"), FLAGS)
def test_flags(
    plain: Answer, claimed: Answer, trusts: bool | None, identifier: str | None, told: str
) -> None:
    found = judge_flags(plain, claimed, trusts)
    assert (found and found.id) == identifier
    assert told in (found.received if found else "")


def test_the_page_must_be_able_to_read_xsrf() -> None:
    assert judge_readable_xsrf(answer(200, None, XSRF)) is None
    found = judge_readable_xsrf(answer(200, None, (XSRF[0], XSRF[1] + "; HttpOnly")))
    assert found is not None
    assert found.id == "cookie-flags"


STRANGER = answer(302, None, ("Location", "/login"))
CACHED = [
    ((), STRANGER, None),
    ((("Age", "0"), ("Cache-Control", "no-store, max-age=3600")), STRANGER, None),
    ((("Cache-Control", "private, max-age=0"),), STRANGER, None),
    ((("Age", "12"),), STRANGER, "lab-cached"),
    ((("X-Cache", "HIT from squid"),), STRANGER, "lab-cached"),
    ((("CF-Cache-Status", "HIT"),), STRANGER, "lab-cached"),
    ((("X-Cache", "MISS"),), STRANGER, None),
    ((("Cache-Control", "public, max-age=3600"),), STRANGER, "lab-cached"),
    ((("Cache-Control", "s-maxage=60"),), STRANGER, "lab-cached"),
    ((), answer(200), "lab-cached"),
]


@pytest.mark.parametrize(("fields", "stranger", "identifier"), CACHED)
def test_cached(
    fields: tuple[tuple[str, str], ...], stranger: Answer, identifier: str | None
) -> None:
    found = judge_cached(answer(200, None, *fields), stranger, needs_login=True)
    assert (found and found.id) == identifier


def test_without_a_login_everybody_gets_the_page() -> None:
    assert judge_cached(answer(200), answer(200), needs_login=False) is None
