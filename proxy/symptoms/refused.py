"""Why labgate itself refused a request, or in observe mode would have refused it."""

from __future__ import annotations

from collections.abc import Callable

from proxy.rules.decision import Refuse

from .evidence import Evidence, authority_of, shown, shown_target, value_of
from .explanation import Explanation, explained
from .in_front import in_front


def explain_refusal(evidence: Evidence, refusal: Refuse) -> Explanation:
    """Why the rule refused, and whether a proxy in front is to blame."""
    explain = _RULES.get(refusal.rule)
    if explain is not None:
        return explain(evidence, refusal)
    if refusal.status in (413, 414, 431):
        return _too_large(evidence, refusal)
    if refusal.status in (429, 503):
        return _too_many(evidence, refusal)
    field = f" {refusal.field}: {shown(evidence.received, refusal.field.lower().encode())}."
    sentence = f"{_said(refusal)} because of its rule {refusal.rule}. {refusal.sentence}"
    return explained(
        "malformed-request", sentence + (field if refusal.field else ""), refusal.field
    )


def _said(refusal: Refuse) -> str:
    return f"labgate answered {refusal.status}"


def _host(evidence: Evidence, refusal: Refuse) -> Explanation:
    head, site = evidence.received, evidence.site
    if len(head.values(b"host")) != 1:
        blamed = next(in_front(head, site), None)
        if blamed is not None and blamed.field == "Host":
            return blamed
        return explained("malformed-request", f"{_said(refusal)}. {refusal.sentence}", "Host")
    names = ", ".join(dict.fromkeys(domain.authority for domain in site.domains))
    because = f"{_said(refusal)} because Host {shown(head, b'host')} is not {names}"
    blame = _blame(evidence, "Host")
    if blame:
        return explained("host-refused", f"{because}. {blame}", "Host")
    return explained(
        "host-refused",
        f"{because}: where it is a name of this site, {_named(evidence)}; where a proxy in "
        "front rewrites Host, let it through (nginx: proxy_set_header Host $http_host).",
        "Host",
    )


def _named(evidence: Evidence) -> str:
    """What to do with a name of the site that labgate does not know."""
    return (
        "add it to site.domains"
        if evidence.site.pass_through is None
        else "give it as --public-origin"
    )


def _origin(evidence: Evidence, refusal: Refuse) -> Explanation:
    head, site = evidence.received, evidence.site
    origins = ", ".join(str(domain) for domain in site.domains)
    value = value_of(head, b"origin") or b""
    because = f"{_said(refusal)} because Origin {shown(head, b'origin')} is not {origins}"
    if value == b"null":
        return explained("origin-refused", f"{because}. {NULL_ORIGIN}", "Origin")
    host = value_of(head, b"host") or b""
    known = site.authorities.get(host.lower())
    if known is not None and authority_of(value.lower()) in (known.authority, known.spelled_out):
        return explained(
            "origin-refused",
            f"{because}: only the scheme differs. The page was opened over "
            f"{printable_scheme(value)}, and this site is {known.scheme}.",
            "Origin",
        )
    return explained(
        "origin-refused",
        f"{because}. A page of another site asked, and that was right to refuse; unless it is a "
        f"name of this site: then {_named(evidence)}, and let a proxy in front leave Origin "
        "as it is.",
        "Origin",
    )


NULL_ORIGIN = (
    "Browsers send null where a page has Referrer-Policy: no-referrer or is sandboxed: take that "
    "policy out; null is never let in, because every site can send it."
)


def printable_scheme(origin: bytes) -> str:
    """The scheme of an Origin for a sentence; only letters can be one that browsers send."""
    scheme = origin.partition(b"://")[0].decode("latin-1").lower()
    return scheme if scheme in ("http", "https") else "another scheme"


def _fetch_site(evidence: Evidence, refusal: Refuse) -> Explanation:
    value = shown(evidence.received, b"sec-fetch-site")
    sentence = (
        f"{_said(refusal)} because the browser says with Sec-Fetch-Site: {value} that a page of "
        f"another site asked for {shown_target(evidence.received)}; links to pages are let in, "
        "calls are not."
    )
    return explained("foreign-page", sentence, "Sec-Fetch-Site")


def _logout(evidence: Evidence, refusal: Refuse) -> Explanation:
    sentence = (
        f"{_said(refusal)} because a logout needs an Origin or Referer of this site: a link on "
        "another one could log people out."
    )
    return explained("foreign-page", sentence, refusal.field or "Origin")


def _websocket_origin(evidence: Evidence, refusal: Refuse) -> Explanation:
    sentence = (
        f"{_said(refusal)} because the WebSocket came with neither Origin nor token. Browsers "
        "always send Origin: a proxy in front took it away, or it is a program, which may send "
        "Authorization: token …"
    )
    return explained("websocket-refused", sentence, "Origin")


def _login(evidence: Evidence, refusal: Refuse) -> Explanation:
    sentence = f"{_said(refusal)} because labgate's own password is asked for. {refusal.sentence}"
    return explained("login-in-front", sentence, "Authorization")


def _address(evidence: Evidence, refusal: Refuse) -> Explanation:
    peer = evidence.received.arrival.peer
    sentence = f"{_said(refusal)} because {peer} is not in access.allow."
    if evidence.received.values(b"x-forwarded-for"):
        sentence += (
            " It came with X-Forwarded-For: where it is a proxy in front, name it in "
            "access.trusted_proxies."
        )
    return explained("access-refused", sentence)


def _nothing_here(evidence: Evidence, refusal: Refuse) -> Explanation:
    sentence = f"{_said(refusal)} to {shown_target(evidence.received)}. {refusal.sentence}"
    return explained("not-found", sentence)


def _too_large(evidence: Evidence, refusal: Refuse) -> Explanation:
    sentence = (
        f"{_said(refusal)}. {refusal.sentence} The limits are in [limits]; many or old cookies "
        "are the usual reason."
    )
    return explained("header-limit", sentence, "Cookie")


def _too_many(evidence: Evidence, refusal: Refuse) -> Explanation:
    return explained("rate-limited", f"{_said(refusal)}. {refusal.sentence}")


def _blame(evidence: Evidence, field: str) -> str:
    """What a proxy in front did to a field, as a sentence; empty if nothing is seen."""
    found = in_front(evidence.received, evidence.site)
    return next((one.sentence for one in found if one.field == field), "")


_RULES: dict[str, Callable[[Evidence, Refuse], Explanation]] = {
    "host": _host,
    "origin": _origin,
    "fetch-site": _fetch_site,
    "websocket-origin": _websocket_origin,
    "logout": _logout,
    "basic-auth": lambda evidence, refusal: (
        _login(evidence, refusal) if refusal.status == 401 else _too_many(evidence, refusal)
    ),
    "lockout": _too_many,
    "allow-list": _address,
    "challenge": _nothing_here,
}
