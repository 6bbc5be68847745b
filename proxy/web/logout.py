"""Ends a session of labgate's own login."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.rules.head import Field, RequestHead
from proxy.web.errors import error_response
from proxy.web.page import LOGOUT_PAGE
from proxy.web.request_head import request_head

EndSessions = Callable[[RequestHead], Awaitable[tuple[Field, ...]]]
"""Ends the sessions that a request brings; the fields of an answer that says so."""


async def logout_page(_request: web.Request) -> web.Response:
    """``GET /.labgate/logout``: the page that asks."""
    policy = {"Content-Security-Policy": LOGOUT_PAGE.policy.decode("ascii")}
    return web.Response(
        body=LOGOUT_PAGE.content, content_type="text/html", charset="utf-8", headers=policy
    )


def log_out(end_sessions: EndSessions) -> Handler:
    """``POST /.labgate/logout``: the session is over (401).

    The rules let only a POST with a public Origin come here.
    """

    async def answer(request: web.Request) -> web.Response:
        fields = await end_sessions(request_head(request))
        sentence = "Your session on this server is over."
        return error_response(request, 401, "logged-out", sentence, fields)

    return answer
