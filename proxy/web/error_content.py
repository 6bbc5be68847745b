"""An error in the form that suits the client: a page, JSON or one sentence."""

from __future__ import annotations

import json
from typing import NamedTuple

from proxy.rules.head import RequestHead
from proxy.rules.negotiation import Representation, representation
from proxy.web.page import error_page


class ErrorContent(NamedTuple):
    """What an error's answer contains.

    Attributes:
        content_type: The Content-Type.
        content: The content.
        policy: The Content-Security-Policy of a page; empty for everything else.
    """

    content_type: bytes
    content: bytes
    policy: bytes = b""


def error_content(
    head: RequestHead, status: int, reason: str, sentence: str, request_id: str
) -> ErrorContent:
    """The content of an error for the client that sent ``head``.

    Args:
        head: The request.
        status: The answer's status.
        reason: The rule that refused, or another short name of the error.
        sentence: What happened.
        request_id: The request's name in the log.
    """
    match representation(head):
        case Representation.PAGE:
            page = error_page(status, reason, sentence, request_id)
            return ErrorContent(b"text/html; charset=utf-8", page.content, page.policy)
        case Representation.JSON:
            text = json.dumps({"message": sentence, "reason": reason, "request_id": request_id})
            return ErrorContent(b"application/json", text.encode("utf-8") + b"\n")
        case Representation.TEXT:
            return ErrorContent(b"text/plain; charset=utf-8", sentence.encode("utf-8") + b"\n")
