"""What a proxy between labgate and Jupyter took away or changed, seen in Jupyter's answer.

Jupyter says in its answer what it lacks. Where labgate sent just that, somebody else took it away.
"""

from __future__ import annotations

import re

from proxy.rules.credentials import tokens
from proxy.rules.head import RequestHead

from .evidence import (
    SAFE_METHODS,
    Evidence,
    cookie,
    means_websocket,
    origin_matches_host,
    shown,
    upgrades,
    value_of,
)
from .explanation import Explanation, explained

BETWEEN = "a proxy between labgate and Jupyter"

_NO_UPGRADE = re.compile(rb'Can "Upgrade" only|"Connection" must be')
_XSRF_MISSING = b"'_xsrf' argument missing"
_XSRF_DIFFERS = b"XSRF cookie does not match"
_NOT_FOUND = re.compile(rb'"message": ?"Not Found"')
"""Of ``APIHandler.prepare``, whose 404 is the check of Origin; a path that is not there has the
page of errors, and a file that is not there another message."""


def between(evidence: Evidence) -> Explanation | None:
    """What was lost behind labgate; None if the answer fits what labgate sent."""
    head = evidence.sent
    if head is None:
        return None
    match evidence.status:
        case 400:
            return _upgrade(evidence, head)
        case 403:
            return _xsrf(evidence, head) or _origin(evidence, head)
        case 404:
            return _origin(evidence, head)
    return None


def _upgrade(evidence: Evidence, head: RequestHead) -> Explanation | None:
    if not (means_websocket(head) and upgrades(head) and _NO_UPGRADE.search(evidence.content)):
        return None
    sentence = (
        f"Jupyter answered 400 because Upgrade did not arrive, which labgate sent: {BETWEEN} takes "
        "it away and has to put it back, in HTTP/1.1 (nginx: proxy_http_version 1.1, "
        "proxy_set_header Upgrade $http_upgrade, proxy_set_header Connection $connection_upgrade)."
    )
    return explained("websocket-not-upgraded", sentence, "Upgrade")


def _xsrf(evidence: Evidence, head: RequestHead) -> Explanation | None:
    known = cookie(head, b"_xsrf")
    given = value_of(head, b"x-xsrftoken") or value_of(head, b"x-csrftoken")
    if known is None or given != known:
        return None
    if _XSRF_MISSING in evidence.content:
        sentence = (
            "Jupyter answered 403 because X-XSRFToken did not arrive, which labgate sent: "
            f"{BETWEEN} takes it away."
        )
        return explained("xsrf-lost", sentence, "X-XSRFToken")
    if _XSRF_DIFFERS in evidence.content:
        sentence = (
            "Jupyter answered 403 because the cookie _xsrf did not arrive, which labgate sent: "
            f"{BETWEEN} takes Cookie away."
        )
        return explained("cookies-lost", sentence, "Cookie")
    return None


def _origin(evidence: Evidence, head: RequestHead) -> Explanation | None:
    """Jupyter found Origin and Host to differ, which labgate sent equal."""
    if not head.values(b"origin") or tokens(head) or not origin_matches_host(head):
        return None
    websocket = means_websocket(head) and b"Cross origin websockets" in evidence.content
    call = head.method not in SAFE_METHODS and _NOT_FOUND.search(evidence.content) is not None
    if not (websocket or call):
        return None
    sentence = (
        f"Jupyter answered {evidence.status} because Origin {shown(head, b'origin')} is not the "
        f"Host that it received, while labgate sent Host {shown(head, b'host')}: {BETWEEN} "
        "rewrites Host and not Origin (nginx sets Host to $proxy_host by itself; $http_host is "
        "what it got)."
    )
    return explained("origin-refused", sentence, "Origin")
