"""The security fields of every answer of the web application, set in one place."""

from __future__ import annotations

from aiohttp import web
from aiohttp.typedefs import Handler

POLICY = "default-src 'none'; frame-ancestors 'self'; base-uri 'none'; form-action 'self'"
"""Nothing is loaded and nothing runs; a page that needs more sets a policy of its own."""

FIELDS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


@web.middleware
async def security_fields(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Add ``FIELDS`` to the answer, also to an error; what the handler set stays."""
    try:
        response = await handler(request)
    except web.HTTPException as error:
        for name, value in FIELDS.items():
            error.headers.setdefault(name, value)
        raise
    for name, value in FIELDS.items():
        response.headers.setdefault(name, value)
    return response


async def hide_server(_request: web.Request, response: web.StreamResponse) -> None:
    """Drop the field that names the software: an attacker learns nothing from it."""
    response.headers.popall("Server", None)
