"""Who may ask the admin listener.

Every user of this machine can connect to it over loopback, and so can every page in a browser on
it. So a request needs the listener's own Host (else a page could make its own name point
here: DNS rebinding), the session's cookie, and, for what changes something and for WebSockets, the
page's own Origin and the session's token.
"""

from __future__ import annotations

from collections.abc import Collection
from hmac import compare_digest
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from proxy.admin.sessions import AdminSession, AdminSessions

BASE = "/inspector/"
"""The cookie's path too: cookies know no ports, and Jupyter's own port must not get this one."""
_HTTP_PORT = 80
"""Browsers leave it out of Host (RFC 9110 section 4.2.3)."""
CSRF_FIELD = "X-Labgate-CSRF"
_COOKIE = "labgate-inspector"
_SAFE = frozenset({"GET", "HEAD"})

UNKNOWN = (
    "The inspector does not know this browser. Open the address that labgate printed, with its "
    "token; `labgate inspect` prints it again.\n"
)
SESSION = web.RequestKey("session", AdminSession)


def local_authorities(port: int) -> frozenset[str]:
    """The values of Host under which a loopback port is reached."""
    hosts = ("127.0.0.1", "[::1]", "localhost")
    return frozenset((*(f"{host}:{port}" for host in hosts), *(hosts * (port == _HTTP_PORT))))


def protect(sessions: AdminSessions, authorities: Collection[str]) -> Middleware:
    """Let only the page in.

    Args:
        sessions: The known browsers.
        authorities: The accepted values of Host.
    """

    @web.middleware
    async def check(request: web.Request, handler: Handler) -> web.StreamResponse:
        host = request.headers.get("Host", "").lower()
        if host not in authorities:
            return web.Response(status=421, text="There is no such site here.\n")
        if request.method in _SAFE and (token := request.query.get("token")) is not None:
            return _with_session(sessions, token, host)
        session = sessions.find(request.cookies.get(_cookie_name(host), ""))
        if session is None:
            return web.Response(status=401, text=UNKNOWN)
        request[SESSION] = session
        if not _is_own(request, session, host):
            return web.Response(status=403, text="Only the inspector's own page may do that.\n")
        return await handler(request)

    return check


def _cookie_name(host: str) -> str:
    """One for each port: the pages of two labgates on a machine share their cookies."""
    return f"{_COOKIE}-{urlsplit(f'//{host}').port or _HTTP_PORT}"


def _with_session(sessions: AdminSessions, token: str, host: str) -> web.Response:
    """Turn the token into a cookie, and take it out of the address."""
    session = sessions.open(token)
    if session is None:
        return web.Response(status=403, text="This token is wrong; use the address as printed.\n")
    response = web.Response(status=303, headers={"Location": BASE})
    response.set_cookie(
        _cookie_name(host), session.cookie, path=BASE, httponly=True, samesite="Strict"
    )
    return response


def _is_own(request: web.Request, session: AdminSession, host: str) -> bool:
    """Whether the page itself asks, where it matters."""
    upgrade = request.headers.get("Upgrade", "").lower() == "websocket"
    if request.method in _SAFE and not upgrade:
        # An address that is typed or followed; SameSite keeps the cookie from foreign pages.
        return request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none")
    if request.headers.get("Origin", "").lower() != f"http://{host}":
        return False
    # A WebSocket in a browser can have no field of its own.
    brought = request.query.get("csrf", "") if upgrade else request.headers.get(CSRF_FIELD, "")
    # aiohttp decodes octets that are no UTF-8 in this way.
    octets = brought.encode("utf-8", "surrogateescape")
    return compare_digest(octets, session.csrf_token.encode("ascii"))
