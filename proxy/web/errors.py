"""The web application's errors, in the words and forms of labgate's other errors."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.rules.head import Field
from proxy.rules.request_id import FIELD
from proxy.web.error_content import error_content
from proxy.web.request_head import CLIENT_FIELD, request_head

log = logging.getLogger("labgate")

_SENTENCES = {
    404: "There is nothing at this address.",
    405: "This address does not take this method.",
}


def error_response(
    request: web.Request, status: int, reason: str, sentence: str, fields: Iterable[Field] = ()
) -> web.Response:
    """An error in the form that suits the client.

    Args:
        request: The request.
        status: The answer's status.
        reason: A short name of the error (``page.error_page``).
        sentence: What happened.
        fields: Further fields of the answer.
    """
    named = request.headers.get(FIELD.decode("ascii"), "-")
    chosen = error_content(request_head(request), status, reason, sentence, named)
    response = web.Response(status=status, body=chosen.content)
    response.headers["Content-Type"] = chosen.content_type.decode("ascii")
    if chosen.policy:
        response.headers["Content-Security-Policy"] = chosen.policy.decode("ascii")
    for name, value in fields:
        response.headers.add(name.decode("ascii"), value.decode("ascii"))
    return response


@web.middleware
async def error_responses(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what has no route, and what fails; a fault of labgate's is logged."""
    try:
        return await handler(request)
    except web.HTTPClientError as error:
        sentence = _SENTENCES.get(error.status, error.reason)
        response = error_response(request, error.status, "", sentence)
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
        return response
    except web.HTTPException:
        raise
    except Exception:
        log.exception("fault while answering %s", request.headers.get(CLIENT_FIELD, ""))
        sentence = "This server failed to answer the request; its log has the reason."
        return error_response(request, 500, "fault", sentence)
