"""Which of Jupyter's checks answered 403, or 404 in the place of 403.

The content of the answer names the check where it is known (``write_error`` of Jupyter's
handlers); else the request's head decides, in the order of ``JupyterHandler.prepare``.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

from proxy.rules.authority import host_only, port_only
from proxy.rules.credentials import tokens
from proxy.rules.head import RequestHead
from proxy.rules.origin import first_segment
from proxy.rules.redaction import printable

from .evidence import (
    SAFE_METHODS,
    Evidence,
    authority_of,
    cookie,
    first,
    from_a_page,
    has_login_cookie,
    means_websocket,
    origin_counts,
    origin_matches_host,
    passed_a_proxy,
    path_of,
    referer_matches_host,
    shown,
    shown_target,
    upgrades,
    value_of,
)
from .explanation import Explanation, explained
from .in_front import in_front
from .of_a_hub import refused_by_a_hub
from .refused import NULL_ORIGIN

_ENCODED_TWICE = re.compile(rb"%25[0-9A-Fa-f]{2}")
_REFERER_PATHS = (b"/files/", b"/nbconvert/")
_NO_PAGES = frozenset({b"api", b"files", b"nbconvert", b"metrics", b"lsp"})


def forbidden(evidence: Evidence) -> Explanation:
    """403: Host, the login, Origin and XSRF, as Jupyter asks for them."""
    content = evidence.content
    if b"_xsrf" in content or b"XSRF" in content:
        return _xsrf(evidence)
    if b"Cross origin websockets" in content:
        return origin(evidence)
    if evidence.site.pass_through is not None:
        return refused_by_a_hub(evidence)
    head = evidence.sent or evidence.received
    if _is_page(evidence) and not _is_local(first(head.values(b"host"))):
        return _host(evidence)
    if means_websocket(head):
        return _websocket(evidence)
    if tokens(head):
        return _token(evidence)
    if head.method not in SAFE_METHODS:
        return _xsrf(evidence)
    if any(part in path_of(head) for part in _REFERER_PATHS) and not referer_matches_host(head):
        return _referer(evidence)
    return _login(evidence)


def not_found(evidence: Evidence) -> Explanation:
    """404: Jupyter answers a failed check of Origin with it; else the path is not there."""
    head, base = evidence.sent or evidence.received, evidence.site.base_path
    if origin_counts(head, base) and not tokens(head) and not origin_matches_host(head):
        return origin(evidence)
    target = shown_target(head)
    if not path_of(head).startswith(base.encode("utf-8", "surrogateescape")):
        sentence = (
            f"Jupyter answered {evidence.status} because {target} is not below its base_url "
            f"{base}: a proxy in front strips or adds a path."
        )
        return explained("base-url", sentence)
    if _ENCODED_TWICE.search(path_of(head)):
        sentence = (
            f"Jupyter answered {evidence.status} because {target} was encoded twice: a proxy in "
            "front encodes a path that is encoded already."
        )
        return explained("path-decoded", sentence)
    method = printable(head.method, 20)
    if evidence.status == 405:
        sentence = f"Jupyter answered 405: nothing at {target} takes {method}."
        return explained("not-found", sentence)
    if head.method not in SAFE_METHODS:
        sentence = (
            f"Jupyter answered {evidence.status} to {method} {target}: what it names, or "
            "the folder that it should go to, is not there."
        )
        return explained("not-found", sentence)
    sentence = f"Jupyter answered {evidence.status}: it has nothing at {target}."
    return explained("not-found", sentence)


def origin(evidence: Evidence) -> Explanation:
    """Origin is not Host: who made them differ?"""
    head = evidence.sent or evidence.received
    host, value = shown(head, b"host"), value_of(head, b"origin") or b""
    because = (
        f"Jupyter answered {evidence.status} because Origin {shown(head, b'origin')} is not "
        f"Host {host}"
    )
    if value == b"null":
        return explained("origin-refused", f"{because}. {NULL_ORIGIN}", "Origin")
    blamed = next(
        (found for found in in_front(evidence.received, evidence.site) if found.field == "Host"),
        None,
    )
    if blamed is not None:
        return explained("origin-refused", f"{because}. {blamed.sentence}", "Origin")
    why = _difference(authority_of(value.lower()), host, evidence)
    return explained("origin-refused", f"{because}: {why}.", "Origin")


def _difference(page: str, host: str, evidence: Evidence) -> str:
    """In what the authority of Origin and Host differ, and who made it so."""
    if page == host.lower():
        return "they differ in upper and lower case only, and Jupyter compares them as text"
    if host in (f"{page}:443", f"{page}:80"):
        return "they differ in the port that is the scheme's own, and Jupyter compares them as text"
    octets = host.lower().encode()
    if host_only(page.encode("latin-1", "replace")) != host_only(octets):
        return (
            "the proxy in front rewrites Host and not Origin; or a page of another site asked, "
            "and that was right to refuse"
        )
    if port_only(octets) or octets in evidence.site.authorities:
        if passed_a_proxy(evidence.received):
            return (
                "the proxy in front rewrites Host and not Origin; or a page at another port of "
                "this name asked, and that was right to refuse"
            )
        return (
            "a page at another port of this name asked, which is another site, and that was right "
            "to refuse"
        )
    return "the proxy in front sends Host without the port (nginx: $host; $http_host has the port)"


def _host(evidence: Evidence) -> Explanation:
    head = evidence.sent or evidence.received
    sentence = (
        f"Jupyter answered {evidence.status} because Host {shown(head, b'host')} is neither a "
        "loopback address nor in ServerApp.local_hostnames."
    )
    return explained("host-refused", sentence, "Host")


def _is_local(host: bytes) -> bool:
    """``check_host``, as far as it is known without Jupyter's configuration."""
    name = host_only(host).decode("latin-1")
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _is_page(evidence: Evidence) -> bool:
    """Whether Jupyter would send people to its login instead of answering 403, or ask for none.

    So a 403 is of ``check_host``, which comes first.
    """
    head = evidence.sent or evidence.received
    if path_of(head) == f"{evidence.site.base_path}api".encode("utf-8", "surrogateescape"):
        return True
    segment = first_segment(head.target, evidence.site.base_path)
    return head.method in SAFE_METHODS and segment not in _NO_PAGES and not means_websocket(head)


def _websocket(evidence: Evidence) -> Explanation:
    """``WebSocketMixin.check_origin``, and the login, which is a cookie here."""
    head = evidence.sent or evidence.received
    if tokens(head):
        return _token(evidence)
    if head.values(b"sec-fetch-site") and not head.values(b"origin"):
        sentence = (
            f"Jupyter answered {evidence.status} to a WebSocket without Origin: the proxy in front "
            "takes it away."
        )
        return explained("websocket-refused", sentence, "Origin")
    if not has_login_cookie(head):
        return _no_login(evidence, "websocket-refused")
    # Jupyter asks for the login first, tornado then for Upgrade, and only then for Origin.
    if upgrades(head) and not origin_matches_host(head):
        return origin(evidence)
    return _expired(evidence)


def _token(evidence: Evidence) -> Explanation:
    sentence = (
        f"Jupyter answered {evidence.status} because it does not know the token: another server's, "
        "or a password is set, and then no token counts."
    )
    return explained("login-refused", sentence, "Authorization")


def _xsrf(evidence: Evidence) -> Explanation:
    """``check_xsrf_cookie``: the cookie _xsrf against X-XSRFToken."""
    head = evidence.sent or evidence.received
    because = f"Jupyter answered {evidence.status} because"
    known = cookie(head, b"_xsrf")
    given = value_of(head, b"x-xsrftoken") or value_of(head, b"x-csrftoken")
    if not head.values(b"cookie"):
        return _no_login(evidence, "cookies-lost")
    if known is None:
        return explained(
            "xsrf-lost",
            f"{because} the cookie _xsrf is missing: something in front took it away, or the page "
            "was opened under another name.",
            "Cookie",
        )
    if given is None:
        return explained(
            "xsrf-lost",
            f"{because} X-XSRFToken is missing: the proxy in front takes it away, or the page "
            "cannot read the cookie _xsrf, because something made it HttpOnly.",
            "X-XSRFToken",
        )
    if given != known:
        return explained(
            "xsrf-lost",
            f"{because} X-XSRFToken is not the cookie _xsrf: two servers share this name, and "
            "each overwrites the other's cookie. Give one another name or another base_url.",
            "X-XSRFToken",
        )
    return _login(evidence)


def _referer(evidence: Evidence) -> Explanation:
    head = evidence.sent or evidence.received
    if not head.values(b"referer"):
        why = "there is no Referer: a Referrer-Policy or the proxy in front takes it away"
    else:
        referer = authority_of(value_of(head, b"referer") or b"")
        why = f"Referer's {referer} is not Host {shown(head, b'host')}"
        host = next(
            (
                found
                for found in in_front(evidence.received, evidence.site)
                if found.field == "Host"
            ),
            None,
        )
        why += f". {host.sentence[:-1]}" if host else ""
    sentence = f"Jupyter answered {evidence.status} to {shown_target(head)} because {why}."
    return explained("referer-refused", sentence, "Referer")


def _login(evidence: Evidence) -> Explanation:
    head = evidence.sent or evidence.received
    return _expired(evidence) if has_login_cookie(head) else _no_login(evidence, "cookies-lost")


def _no_login(evidence: Evidence, id: str) -> Explanation:  # noqa: A002
    """No login came: lost on the way, or there never was one."""
    head = evidence.sent or evidence.received
    if not head.values(b"cookie") and not from_a_page(head):
        sentence = (
            f"Jupyter answered {evidence.status} because this client sent neither Cookie nor "
            "token: it has not logged in. A program may send Authorization: token …"
        )
        if passed_a_proxy(evidence.received):
            sentence += "; if it does, the proxy in front takes it away"
        return explained("login-missing", f"{sentence}.{perhaps_host(head)}", "Cookie")
    if not head.values(b"cookie"):
        sentence = (
            f"Jupyter answered {evidence.status} because no Cookie came: the proxy in front takes "
            "it away, or this client has not logged in."
        )
        return explained(id, sentence + perhaps_host(head), "Cookie")
    sentence = (
        f"Jupyter answered {evidence.status} because no login came among the cookies: this client "
        "has not logged in, or did so under another name or port."
    )
    return explained("login-missing", sentence + perhaps_host(head), "Cookie")


def _expired(evidence: Evidence) -> Explanation:
    sentence = (
        f"Jupyter answered {evidence.status} although a login came: it has expired, or is another "
        "server's of this name (Jupyter's log: Clearing invalid/expired login cookie). Log in "
        "again; where two servers share a name, set IdentityProvider.cookie_name."
    )
    sentence += perhaps_host(evidence.sent or evidence.received)
    return explained("login-refused", sentence, "Cookie")


def perhaps_host(head: RequestHead) -> str:
    """What else it may be, where Host is none that Jupyter serves without a word."""
    if _is_local(first(head.values(b"host"))):
        return ""
    return " If its pages get 403 too, it refuses Host itself (ServerApp.local_hostnames)."
