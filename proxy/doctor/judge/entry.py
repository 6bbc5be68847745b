"""Whether Jupyter is there at all, judged by requests that need no login.

Tested by tests/doctor/test_judge_entry.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from cryptography import x509

from proxy.doctor.answer import NO_HTTP, UNREADABLE, Answer, set_cookies, shortened
from proxy.doctor.finding import Finding
from proxy.doctor.target import Target

from .labgate import judge_by_labgate


def judge_jupyter(answer: Answer, target: Target) -> Finding | None:
    """Judge ``GET /api``, which Jupyter answers with its version to everybody.

    Only ``JupyterHandler.check_host`` stands before it.
    """
    if is_version(answer):
        return None
    if refused := judge_by_labgate(answer):
        return refused
    symptom, field = _without_jupyter(answer, target)
    return Finding(symptom, field, answer.sent, answer.received)


def certificate_in_words(der: bytes) -> str:
    """For which names a certificate is, by whom, and until when; a stranger has written it."""
    try:
        found = x509.load_der_x509_certificate(der)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        covered = ", ".join(
            [*names.get_values_for_type(x509.DNSName)]
            + [str(one) for one in names.get_values_for_type(x509.IPAddress)]
        )
    except x509.ExtensionNotFound:
        covered = "no name"
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return "which cannot be read"
    issuer = found.issuer.rfc4514_string() or "nobody"
    until = f"until {found.not_valid_after_utc:%Y-%m-%d}"
    return f"for {shortened(covered)}, by {shortened(issuer)}, {until}"


def _without_jupyter(answer: Answer, target: Target) -> tuple[str, str]:
    """The symptom, and the field at fault."""
    status = answer.status
    if not status:
        if answer.failure.startswith(NO_HTTP):
            return "not-jupyter", "the address"
        if answer.failure.startswith(UNREADABLE):
            return "malformed-response", ""
        return "unreachable", "the connection"
    if answer.redirects:
        moved = urlsplit(answer.location).path.endswith("/api")
        return ("base-url", "the path") if moved else ("sso-redirect", "Location")
    if status == 400 and not answer.message:
        # tornado refuses a head before there is a handler: "HTTP/1.1 400 Bad Request" and nothing.
        return "duplicate-host", "Host"
    if status == 401:
        challenged = bool(answer.field("WWW-Authenticate"))
        return "login-in-front", "WWW-Authenticate" if challenged else ""
    if status == 421 or (status == 403 and from_jupyter(answer)):
        return "host-refused", "Host"
    if status == 403:
        return "access-refused", "the client's address"
    if status == 429:
        return "rate-limited", "the number of requests"
    if status == 500 and from_jupyter(answer):
        return "jupyter-error", ""
    if status >= 500:
        return "upstream-down", "the upstream's address"
    return "base-url", "the path" if target.base else "the upstream's address"


def is_version(answer: Answer) -> bool:
    """Whether it is Jupyter's answer to ``GET /api``."""
    return answer.status == 200 and isinstance(answer.json, dict) and "version" in answer.json


def from_jupyter(answer: Answer) -> bool:
    """Whether Jupyter, and not a proxy, made this answer.

    Its handlers set a Content-Security-Policy that names a place for reports
    (``JupyterHandler.content_security_policy``), and its API answers errors with ``message`` and
    ``reason`` (``APIHandler.write_error``). labgate's have a ``request_id``, too.
    """
    if "/api/security/csp-report" in answer.field("Content-Security-Policy"):
        return True
    keys = answer.json.keys() if isinstance(answer.json, dict) else set()
    return {"message", "reason"} <= keys and "request_id" not in keys


def judge_other_server(found: Finding, asked: Sequence[Answer]) -> Finding:
    """The finding, unless there is no Jupyter whose path could be wrong.

    Args:
        found: That ``GET /api`` did not bring Jupyter's version.
        asked: What that and other paths brought.
    """
    if found.id != "base-url" or any(answer.redirects or _looks_so(answer) for answer in asked):
        return found
    server = next(filter(None, (answer.field("Server") for answer in asked)), "")
    named = f" (Server: {server})" if server else ""
    received = (
        f"{found.received.rstrip('.')}{named}: no version at /api, no login page, no cookie _xsrf"
    )
    sent = "; ".join(answer.sent for answer in asked)
    return Finding("not-jupyter", "the address", sent, received)


def _looks_so(answer: Answer) -> bool:
    """Whether an answer has something of Jupyter, or of a JupyterHub."""
    return (
        from_jupyter(answer)
        or "tornado" in answer.field("Server").lower()
        or "_xsrf" in set_cookies(answer)
        or b"jupyter" in answer.body.lower()
    )


def judge_scheme(answer: Answer, target: Target, *, tls: bool) -> Finding | None:
    """Judge ``GET /api`` by plain HTTP.

    Args:
        answer: The answer.
        target: Who was asked.
        tls: Whether the same port speaks TLS.
    """
    if not tls or target.tls:
        return None
    instead = replace(target, scheme="https").url
    received = f"{answer.received.rstrip('.')}. TLS is spoken at this port"
    return Finding("tls-expected", "the address", answer.sent, received, {"instead": instead})


def moved_to(answer: Answer, target: Target) -> str:
    """The address of the same Jupyter to which a whole site redirects; empty if it does not.

    As from http to https, or from a name to the one with ``www.``.
    """
    parts = urlsplit(answer.location)
    if not answer.elsewhere or parts.path != f"{target.base}/api":
        return ""
    scheme = parts.scheme or target.scheme
    moved = f"{scheme}://{parts.netloc}{target.base}/"
    return "" if moved == target.url else moved


def judge_redirect(answer: Answer) -> Finding | None:
    """Judge a request by plain HTTP for the same name. That nothing listens is no fault."""
    secure = answer.redirects and answer.location.startswith("https://")
    if not answer.status or secure:
        return None
    return Finding("no-redirect", "Location", answer.sent, answer.received)


def judge_two_hosts(answer: Answer) -> Finding | None:
    """Judge a request with two Host fields: it must be refused (RFC 9112 section 3.2)."""
    if answer.status in range(200, 400) or answer.status == 500:
        return Finding("duplicate-host", "Host", answer.sent, answer.received)
    return None


ECHOED = "/labgate-doctor/a%2Fb%20c%40d%25e"
"""A path that does not exist; with a slash at its end Jupyter redirects to the path without one
(``TrailingSlashHandler``), and so shows the path that it received."""

PLAIN = "/labgate-doctor/plain"
"""The same without encoded characters."""


def judge_path(encoded: Answer, plain: Answer, base: str) -> Finding | None:
    """Judge the answers to ``ECHOED`` and ``PLAIN``, each with a slash at its end.

    Where even the plain one is not answered by Jupyter's redirect, nothing can be said.
    """
    if not plain.redirects or _echoed(plain) != base + PLAIN:
        return None
    if encoded.redirects and _same(_echoed(encoded), base + ECHOED):
        return None
    return Finding("path-decoded", "the request target", encoded.sent, encoded.received)


def judge_base(plain: Answer, base: str) -> Finding | None:
    """Judge the answer to ``PLAIN``: Jupyter must know the path in front of it as its base_url."""
    if not plain.redirects or _echoed(plain).startswith(f"{base}/"):
        return None
    return Finding("base-url", "the request target", plain.sent, plain.received)


def _echoed(answer: Answer) -> str:
    return urlsplit(answer.location).path


def _same(one: str, other: str) -> bool:
    """Whether two paths are equal, except for characters that need no encoding in a path."""
    return _decoded(one) == _decoded(other)


def _decoded(target: str) -> str:
    def decode(found: re.Match[str]) -> str:
        character = chr(int(found[1], 16))
        return (
            character
            if re.match(r"[\w.~!$&'()*+,;=:@-]", character, re.ASCII)
            else found[0].upper()
        )

    return re.sub(r"%([0-9A-Fa-f]{2})", decode, target)


def judge_head_size(answer: Answer) -> Finding | None:
    """Judge ``GET /api`` with 16 KiB of cookies: tornado takes a head of 64 KiB."""
    if not answer.status or answer.status in (400, 413, 414, 431, 494):
        return Finding("header-limit", "Cookie", answer.sent, answer.received)
    return None
