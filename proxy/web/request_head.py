"""A request to an application as the rules know it."""

from __future__ import annotations

from aiohttp import web

from proxy.rules.head import Arrival, RequestHead

CLIENT_FIELD = "X-Real-IP"
"""The client's address. ``rules.request`` sets it, whatever the client itself says in it."""


def request_head(request: web.BaseRequest) -> RequestHead:
    """The head that was forwarded, from the client that labgate forwards it for."""
    return RequestHead(
        request.method.encode("ascii"),
        request.raw_path.encode("utf-8", "surrogateescape"),
        (request.version.major, request.version.minor),
        request.raw_headers,
        Arrival(request.headers.get(CLIENT_FIELD, "")),
    )
