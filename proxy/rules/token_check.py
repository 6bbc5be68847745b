"""Derives from Jupyter's response whether the token of the request was right."""

from __future__ import annotations

import re
from functools import lru_cache

from .credentials import pairs
from .head import RequestHead, ResponseHead
from .origin import is_logout
from .site import Site

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_NOT_ALPHANUMERIC = re.compile(rb"[^A-Za-z0-9]")


def is_token_accepted(head: RequestHead, answer: ResponseHead, site: Site) -> bool | None:
    """Whether Jupyter accepted the token; None if the response does not depend on it.

    Jupyter checks a token on *every* path, also on those that need no login. A right token without
    a login yet gets a login cookie (``IdentityProvider.get_user``, ``set_login_cookie``), and
    with a wrong token an invalid login cookie is cleared. So without a valid login, a response
    that sets no cookie means a wrong token. The status alone does not show it: ``/api`` and
    ``/static`` answer 200 to all clients.

    ``/logout`` always clears the login, and other redirects are sent before the token is
    checked: these do not depend on it.
    """
    if is_logout(head.target, site) or answer.status >= 500:
        return None
    name = login_cookie_name(head, site)
    set_to = [value for pair, value in map(_pair, answer.values(b"set-cookie")) if pair == name]
    if set_to:
        return any(set_to)
    if answer.status in _REDIRECTS:
        leads = [value.partition(b"?")[0] for value in answer.values(b"location")]
        return False if any(path.endswith(b"/login") for path in leads) else None
    if answer.status in (401, 403):
        return False
    if any(pair == name for pair, _ in pairs(head.values(b"cookie"))):
        return None
    return False


def login_cookie_name(head: RequestHead, site: Site) -> bytes:
    """The default name of Jupyter's login cookie (``IdentityProvider.get_cookie_name``).

    If Jupyter is configured with another name, a right token is counted as wrong once.
    """
    hosts = head.values(b"host")
    return _name_for(hosts[0] if site.preserve and hosts else site.upstream.authority)


@lru_cache(64)
def _name_for(host: bytes | str) -> bytes:
    octets = host.encode("ascii") if isinstance(host, str) else host
    return b"username-" + _NOT_ALPHANUMERIC.sub(b"-", octets)


def _pair(set_cookie: bytes) -> tuple[bytes, bytes]:
    name, _, value = set_cookie.partition(b";")[0].partition(b"=")
    return name.strip(), value.strip(b'" \t')
