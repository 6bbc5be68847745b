"""Why a request got an error: the symptom, and a sentence that names whose doing it is.

First labgate's own refusals; then what a proxy in front of labgate or behind it took away; then
Jupyter's checks, in the order in which Jupyter makes them (``JupyterHandler.prepare``); then the
lack of an answer. Tested by tests/symptoms/test_explain.py.
"""

from __future__ import annotations

from collections.abc import Callable

from .between import between
from .evidence import Evidence, shown_target
from .explanation import Explanation, explained
from .forbidden import forbidden, not_found
from .in_front import in_front
from .login_form import login_form
from .refused import explain_refusal

FIRST_ERROR = 400
LARGE_HEAD = 60 * 1024
"""In octets; tornado ends a connection whose head is larger than 64 KiB without a word."""


def explain(evidence: Evidence) -> Explanation | None:
    """Why the client got an error; None for what is no error."""
    if evidence.refusal is not None and evidence.answered is None:
        return explain_refusal(evidence, evidence.refusal)
    if evidence.status < FIRST_ERROR:
        return None
    if evidence.answered is None:
        return _unanswered(evidence)
    answer = _ANSWERS.get(evidence.answered.status, _other)
    return between(evidence) or login_form(evidence) or answer(evidence)


HTTPS_WANTED = (
    b"plain HTTP request was sent to HTTPS port",
    b"HTTP request to an HTTPS server",
    b"speaking plain HTTP to an SSL-enabled server port",
)
"""What nginx, Go's servers (Caddy, Traefik) and Apache answer to plain HTTP on a port of TLS."""


def _bad_request(evidence: Evidence) -> Explanation:
    if any(words in evidence.content for words in HTTPS_WANTED):
        sentence = (
            f"The server at {_upstream(evidence)} answered 400 because it speaks HTTPS there, and "
            "was asked in plain HTTP: give its address with https:// (--upstream, upstream.url)."
        )
        return explained("malformed-response", sentence)
    for found in in_front(evidence.received, evidence.site):
        if found.symptom.id in ("websocket-not-upgraded", "duplicate-host"):
            return explained(
                found.symptom.id, f"Jupyter answered 400. {found.sentence}", found.field
            )
    sentence = (
        f"Jupyter answered 400 to {shown_target(evidence.received)}: it could not read the "
        "request; its log says why."
    )
    return explained("malformed-request", sentence)


def _too_large(evidence: Evidence) -> Explanation:
    sentence = (
        "413 came from Jupyter's side: its limit is ServerApp.max_body_size, 512 MiB; a proxy "
        "between labgate and Jupyter may have a lower one."
    )
    return explained("body-limit", sentence, "Content-Length")


def _misdirected(evidence: Evidence) -> Explanation:
    sentence = (
        "421 came from Jupyter's side: a proxy between labgate and Jupyter does not serve the "
        "Host that labgate sends."
    )
    return explained("host-refused", sentence, "Host")


def _version(evidence: Evidence) -> Explanation:
    versions = evidence.received.values(b"sec-websocket-version")
    version = versions[0].decode("latin-1", "replace")[:10] if versions else "missing"
    sentence = (
        f"Jupyter answered 426 because Sec-WebSocket-Version is {version}, and only 13 is spoken: "
        "every browser sends 13, so a proxy in front changed it."
    )
    return explained("websocket-version", sentence, "Sec-WebSocket-Version")


def _too_many(evidence: Evidence) -> Explanation:
    status = evidence.status
    sentence = (
        f"{status} came from Jupyter's side: it, or a proxy between labgate and Jupyter, limits "
        "how many requests it takes."
    )
    return explained("rate-limited", sentence)


def _head_too_large(evidence: Evidence) -> Explanation:
    sentence = (
        f"{evidence.status} came from Jupyter's side: the head of {_octets(evidence)} octets is "
        "too large for it; tornado takes 64 KiB. Many or old cookies are the usual reason."
    )
    return explained("header-limit", sentence, "Cookie")


def _octets(evidence: Evidence) -> int:
    """The size of the fields that came."""
    return sum(len(name) + len(value) + 4 for name, value in evidence.received.fields)


def _failed(evidence: Evidence) -> Explanation:
    for words, why in _OF_THE_SYSTEM.items():
        if words in evidence.content:
            what = shown_target(evidence.received)
            symptom = "not-found" if words == NO_SUCH_FILE else "files-refused"
            return explained(symptom, f"Jupyter answered {evidence.status} to {what}: {why}.")
    sentence = (
        f"Jupyter answered {evidence.status} to {shown_target(evidence.received)}: an exception in "
        "Jupyter or one of its extensions; its log has the traceback."
    )
    return explained("jupyter-error", sentence)


NO_SUCH_FILE = b"No such file or directory"
_OF_THE_SYSTEM = {
    NO_SUCH_FILE: "the file, or the folder that it should go to, is not there",
    b"Permission denied": (
        "Jupyter's user may not read or write there; its folder belongs to somebody else "
        "(in the container: chown to 1000:100)"
    ),
    b"No space left on device": "the disk of Jupyter's machine is full",
    b"Disk quota exceeded": "the disk quota of Jupyter's user is used up",
    b"Read-only file system": "the file system is mounted read-only",
}
"""What Jupyter repeats of the operating system's errors, and what it means."""


def _away(evidence: Evidence) -> Explanation:
    sentence = (
        f"{evidence.status} came from Jupyter's side: a proxy between labgate and Jupyter does "
        "not reach it, or an extension of Jupyter's does not reach its own server. After 502 and "
        "504 JupyterLab declares the kernel dead; after 503 it tries again."
    )
    return explained("upstream-down", sentence)


def _late(evidence: Evidence) -> Explanation:
    sentence = (
        "504 came from Jupyter's side: a proxy between labgate and Jupyter did not wait for its "
        "answer."
    )
    return explained("upstream-timeout", sentence)


def _other(evidence: Evidence) -> Explanation:
    if evidence.status >= 500:
        return _failed(evidence)
    sentence = f"Jupyter answered {evidence.status} to {shown_target(evidence.received)}."
    return explained("malformed-request", sentence)


def _unanswered(evidence: Evidence) -> Explanation:
    """Nothing came from Jupyter: labgate answered in its place (``proxy.errors.STATUS_OF``)."""
    upstream = _upstream(evidence)
    reason = f" ({evidence.outcome})" if evidence.outcome else ""
    match evidence.status:
        case 503 if evidence.outcome == TOO_MANY:
            sentence = "labgate answered 503 because there were too many at once ([limits])."
            return explained("rate-limited", sentence)
        case 503 if _octets(evidence) > LARGE_HEAD:
            sentence = (
                "labgate answered 503 because Jupyter hung up without an answer: the head of "
                f"{_octets(evidence)} octets is too large for it; tornado takes 64 KiB. Many or "
                "old cookies are the usual reason."
            )
            return explained("header-limit", sentence, "Cookie")
        case 503:
            sentence = f"labgate answered 503 because Jupyter at {upstream} did not answer{reason}."
            if "CERTIFICATE_VERIFY_FAILED" in evidence.outcome:
                sentence += f" {UNTRUSTED}"
            return explained("upstream-down", sentence)
        case 504:
            sentence = (
                f"labgate answered 504 because Jupyter at {upstream} took longer than "
                f"[upstream] allows{reason}."
            )
            return explained("upstream-timeout", sentence)
        case 502:
            sentence = (
                f"labgate answered 502 because what answers at {upstream} does not speak HTTP/1.1 "
                f"as it should{reason}."
            )
            return explained("malformed-response", sentence)
        case 404:
            sentence = f"labgate answered 404: it has nothing at {shown_target(evidence.received)}."
            return explained("not-found", sentence)
        case status if status < 500:
            sentence = f"labgate answered {status} because of the request's content{reason}."
            return explained("malformed-request", sentence)
    sentence = f"labgate answered {evidence.status}: a fault of its own; its log has the reason."
    return explained("proxy-error", sentence)


def _upstream(evidence: Evidence) -> str:
    """Where Jupyter is."""
    # In front of a Hub the route has the address, and the reason names it.
    of_a_hub = evidence.site.pass_through is not None
    return "the target of the route" if of_a_hub else str(evidence.site.upstream)


UNTRUSTED = (
    "Its certificate is of an authority that is not trusted here, or for another name: give the "
    "authority's certificate (--ca FILE, upstream.ca), or trust any (--insecure, "
    "upstream.verify = false)."
)
"""What to do where TLS to the upstream fails because of its certificate."""

TOO_MANY = "too many requests at once"
"""The outcome of a request beyond ``limits.requests`` (``proxying.request_handler``)."""

_ANSWERS: dict[int, Callable[[Evidence], Explanation]] = {
    400: _bad_request,
    401: forbidden,
    403: forbidden,
    404: not_found,
    405: not_found,
    413: _too_large,
    414: _head_too_large,
    421: _misdirected,
    426: _version,
    429: _too_many,
    431: _head_too_large,
    502: _away,
    503: _away,
    504: _late,
}
