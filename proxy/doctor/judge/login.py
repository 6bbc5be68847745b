"""The login, and the calls of a page that is logged in: Origin, XSRF, cookies.

Tested by tests/doctor/test_judge_login.py.
"""

from __future__ import annotations

from proxy.doctor.answer import Answer, set_cookies
from proxy.doctor.finding import Finding

from .entry import from_jupyter
from .labgate import judge_by_labgate

XSRF_MISSING = "'_xsrf' argument missing"
XSRF_DIFFERS = "XSRF cookie does not match"
"""Messages of ``RequestHandler.check_xsrf_cookie`` of tornado."""

LOGIN_COOKIE = "username-"
"""The beginning of the login cookie's name; what follows is the Host that Jupyter received, with
a hyphen for everything that is no letter or digit (``IdentityProvider.get_cookie_name``)."""


def judge_login_page(answer: Answer) -> Finding | None:
    """Judge ``GET /login``: a page with a form, and the cookie ``_xsrf``."""
    if answer.ok and "_xsrf" in set_cookies(answer):
        return None
    if answer.ok and from_jupyter(answer):
        return Finding(
            "cookies-lost", "Set-Cookie", answer.sent, f"{answer.received}, without Set-Cookie"
        )
    return judge_refusal(answer)


def judge_login(answer: Answer, without_origin: Answer | None) -> Finding | None:
    """Judge the form of the login page, as a browser sends it.

    Args:
        answer: With Origin.
        without_origin: The answer to the same without Origin; None if it was not asked.
    """
    if answer.redirects and not answer.elsewhere:
        if name_of_login_cookie(answer):
            return None
        return Finding(
            "cookies-lost", "Set-Cookie", answer.sent, f"{answer.received}, without Set-Cookie"
        )
    if refused := judge_secret(answer):
        return refused
    if without_origin is not None and without_origin.status in (302, 303, 401):
        return origin_refused(answer, without_origin)
    if answer.status == 403 and XSRF_DIFFERS in answer.message:
        # The form holds the value of the cookie that came with it: the cookie did not arrive.
        return Finding("cookies-lost", "Cookie", answer.sent, answer.received)
    return judge_refusal(answer)


def judge_secret(answer: Answer) -> Finding | None:
    """Judge whether Jupyter took the token or the password, which it looks at last."""
    if answer.status != 401:
        return None
    if answer.field("WWW-Authenticate"):
        # Jupyter asks by its form, and never so.
        return Finding("login-in-front", "WWW-Authenticate", answer.sent, answer.received)
    facts = {"login": "form"}
    return Finding("login-refused", "the token or the password", answer.sent, "401", facts)


def judge_call(answer: Answer, without_origin: Answer | None) -> Finding | None:
    """Judge a call of the page that changes something.

    Args:
        answer: With Origin. 400 of Jupyter's own is fine: the call was empty.
        without_origin: The answer to the same without Origin; None if it was not asked.
    """
    if answer.ok or came_to_the_handler(answer):
        return None
    if without_origin is not None and (without_origin.ok or came_to_the_handler(without_origin)):
        return origin_refused(answer, without_origin)
    return judge_refusal(answer)


def came_to_the_handler(answer: Answer) -> bool:
    """Whether all of Jupyter's checks let the call pass, and only its content was not right."""
    return answer.status == 400 and from_jupyter(answer)


def judge_known(answer: Answer) -> Finding | None:
    """Judge ``GET /api/me`` with the login cookie."""
    if answer.ok:
        return None
    if answer.status in (401, 403):
        return Finding("cookies-lost", "Cookie", answer.sent, answer.received)
    return judge_refusal(answer)


def judge_method(answer: Answer) -> Finding | None:
    """Judge a call with another method than POST, about what does not exist.

    Jupyter's handler says so, by 404 or by 500; a POST has shown that its checks are passed.
    """
    if answer.ok or (answer.status in (404, 500) and from_jupyter(answer)):
        return None
    if answer.status in (403, 404, 405, 501) and not from_jupyter(answer):
        return Finding("method-refused", "the method", answer.sent, answer.received)
    return judge_refusal(answer)


def origin_refused(answer: Answer, without_origin: Answer) -> Finding:
    """The same request passes without Origin: that field is the reason."""
    if refused := judge_by_labgate(answer):
        return refused
    status = without_origin.status
    received = f"{answer.received.rstrip('.')}. Without Origin the same request gets {status}"
    host = name_of_login_cookie(without_origin).removeprefix(LOGIN_COOKIE)
    if host:
        received += f", and a cookie that is named after the Host Jupyter received: {host}"
    return Finding("origin-refused", "Origin", answer.sent, received)


def name_of_login_cookie(answer: Answer) -> str:
    """The name of the login cookie that is set; empty if none is."""
    names = [name for name in set_cookies(answer) if name != "_xsrf"]
    named = [name for name in names if name.startswith(LOGIN_COOKIE)]
    return next(iter(named or names), "")


def judge_refusal(answer: Answer) -> Finding:
    """What every kind of request may meet."""
    if refused := judge_by_labgate(answer):
        return refused
    status = answer.status
    symptom, field = "jupyter-error", ""
    if not status:
        symptom, field = "unreachable", "the connection"
    elif answer.redirects:
        symptom, field = "sso-redirect", "Location"
    elif status == 403 and XSRF_MISSING in answer.message:
        symptom, field = "xsrf-lost", "X-XSRFToken"
    elif status == 403 and XSRF_DIFFERS in answer.message:
        symptom, field = "xsrf-lost", "Cookie: _xsrf"
    elif status == 403 and from_jupyter(answer):
        symptom, field = "cookies-lost", "Cookie"
    elif status in (401, 403, 421):
        symptom, field = "access-refused", ""
    elif status in (405, 501):
        symptom, field = "method-refused", "the method"
    elif status == 413:
        symptom, field = "body-limit", "Content-Length"
    elif status == 429:
        symptom, field = "rate-limited", "the number of requests"
    elif status == 504:
        symptom, field = "upstream-timeout", ""
    elif status in (502, 503):
        symptom, field = "upstream-down", "the upstream's address"
    return Finding(symptom, field, answer.sent, answer.received)


def judge_flags(plain: Answer, with_claim: Answer, upstream_trusts: bool | None) -> Finding | None:
    """Judge the login cookie of a site with HTTPS: it should be Secure and HttpOnly.

    Jupyter makes it Secure if ``ServerApp.trust_xheaders`` is set and X-Forwarded-Proto is https.

    Args:
        plain: An answer with the login cookie.
        with_claim: The same, asked with ``X-Forwarded-Proto: https`` by the client. A proxy that
            sets the field overwrites this one.
        upstream_trusts: Whether Jupyter, asked directly, heeds the field; None if not asked.
    """
    got = _attributes(plain)
    if got is None:
        return None
    if "secure" not in got:
        received = "Set-Cookie without Secure"
        if "secure" in (_attributes(with_claim) or ()):
            received += "; with Secure if the client itself sends X-Forwarded-Proto: https"
        elif upstream_trusts is False:
            received += (
                "; nor does Jupyter itself heed X-Forwarded-Proto (ServerApp.trust_xheaders)"
            )
        return Finding("forwarded-proto", "X-Forwarded-Proto", plain.sent, received)
    if "httponly" not in got:
        return Finding("cookie-flags", "Set-Cookie", plain.sent, "Set-Cookie without HttpOnly")
    return None


def _attributes(answer: Answer) -> frozenset[str] | None:
    name = name_of_login_cookie(answer)
    return set_cookies(answer)[name][1] if name else None


def judge_readable_xsrf(answer: Answer) -> Finding | None:
    """The cookie ``_xsrf`` must not be HttpOnly: JupyterLab reads it to send X-XSRFToken."""
    _, attributes = set_cookies(answer).get("_xsrf", ("", frozenset()))
    if "httponly" not in attributes:
        return None
    return Finding("cookie-flags", "Set-Cookie", answer.sent, "Set-Cookie: _xsrf with HttpOnly")


CACHE_HITS = (("X-Cache", "hit"), ("X-Cache-Status", "hit"), ("X-Proxy-Cache", "hit"))
"""Fields of proxies that say an answer comes from a cache."""


def judge_cached(answer: Answer, as_stranger: Answer, needs_login: bool) -> Finding | None:
    """Judge ``/lab`` after it was loaded: it embeds the token and must not be stored.

    Args:
        answer: The page, asked for a second time with the login.
        as_stranger: Asked for the same address without cookies.
        needs_login: Whether Jupyter asks strangers for a login.
    """
    if needs_login and as_stranger.status == 200 and as_stranger.size_bytes == answer.size_bytes:
        received = "200 OK, the page of somebody who is logged in"
        return Finding("lab-cached", "Cookie", as_stranger.sent, received)
    for name, hit in (*CACHE_HITS, ("CF-Cache-Status", "hit")):
        if hit in answer.field(name).lower():
            return Finding("lab-cached", name, answer.sent, f"{name}: {answer.field(name)}")
    if answer.field("Age").strip() not in ("", "0"):
        return Finding("lab-cached", "Age", answer.sent, f"Age: {answer.field('Age')}")
    if _may_be_stored(answer.field("Cache-Control")):
        received = f"Cache-Control: {answer.field('Cache-Control')}"
        return Finding("lab-cached", "Cache-Control", answer.sent, received)
    return None


def _may_be_stored(cache_control: str) -> bool:
    """Whether a cache may answer with it without asking Jupyter (RFC 9111 section 5.2.2)."""
    directives = [one.strip().lower() for one in cache_control.split(",")]
    if {"no-store", "no-cache"} & set(directives):
        return False
    for directive in directives:
        name, _, seconds = directive.partition("=")
        if name in ("max-age", "s-maxage") and seconds.strip('"') not in ("", "0"):
            return True
    return False
