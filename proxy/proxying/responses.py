"""What labgate responds itself: refusals, redirects, the page while Jupyter is away.

They show no version and not labgate's name: an attacker learns nothing from an error.

Tested by tests/proxying/test_errors.py.
"""

from __future__ import annotations

from proxy.errors import STATUS_OF, ClientFault, UpstreamError
from proxy.rules.decision import Refuse
from proxy.rules.head import Field, RequestHead
from proxy.rules.negotiation import is_navigation
from proxy.rules.request_id import FIELD
from proxy.short_response import Response, plain, response
from proxy.web.error_content import error_content
from proxy.web.page import WAITING, Page

RETRY_AFTER_SECONDS = 2

_RETRY: Field = (b"Retry-After", b"%d" % RETRY_AFTER_SECONDS)


def redirect(status: int, location: str) -> Response:
    """A redirect, with a sentence for people who use curl."""
    field = (b"Location", location.encode("ascii"))
    return plain(status, f"This is at {location}", (field,))


def html(
    status: int, page: Page, fields: tuple[Field, ...] = (), *, close: bool = False
) -> Response:
    """A page."""
    policy = (b"Content-Security-Policy", page.policy)
    content_type = b"text/html; charset=utf-8"
    return response(status, page.content, content_type, (*fields, policy), close=close)


def error(
    head: RequestHead,
    status: int,
    reason: str,
    sentence: str,
    request_id: bytes,
    *,
    fields: tuple[Field, ...] = (),
    close: bool = False,
) -> Response:
    """An error in the form that the client prefers: a page, JSON or the sentence.

    Args:
        head: The request.
        status: The response's status.
        reason: The rule that refused, or another word for what is the matter.
        sentence: What happened.
        request_id: Names the request, for whoever asks the operator.
        fields: Further fields of the response.
        close: Whether the client's connection must end with it.
    """
    shown = error_content(head, status, reason, sentence, request_id.decode("ascii"))
    policy = ((b"Content-Security-Policy", shown.policy),) if shown.policy else ()
    named = (*fields, *policy, (FIELD, request_id))
    return response(status, shown.content, shown.content_type, named, close=close)


def refused(head: RequestHead, refusal: Refuse, request_id: bytes) -> Response:
    """The response to a refused request."""
    return error(
        head,
        refusal.status,
        refusal.rule,
        refusal.sentence,
        request_id,
        fields=refusal.fields,
        close=refusal.close,
    )


def after_error(
    head: RequestHead,
    reason: UpstreamError | ClientFault | ConnectionError,
    request_id: bytes,
    *,
    internal: bool,
) -> Response | None:
    """The response when the upstream's cannot be had; None if the client has gone.

    Args:
        head: The request.
        reason: Why.
        request_id: The request's.
        internal: Whether the upstream is labgate's web application.
    """
    if isinstance(reason, ClientFault):
        return error(head, reason.status, "content", str(reason), request_id, close=True)
    if isinstance(reason, ConnectionError):
        return None
    if internal:
        return failed(head, request_id)
    return unavailable(head, STATUS_OF[type(reason)], request_id)


def unavailable(head: RequestHead, status: int, request_id: bytes) -> Response:
    """Jupyter gave no response. A page that a person looks at loads itself again after a 503."""
    if status != 503:
        sentence = _SENTENCES.get(status, _SENTENCES[502])
        return error(head, status, "upstream", sentence, request_id)
    if head.method in (b"GET", b"HEAD") and is_navigation(head):
        return html(503, WAITING, (_RETRY, (FIELD, request_id)))
    return error(head, 503, "upstream", _SENTENCES[503], request_id, fields=(_RETRY,))


def crowded(head: RequestHead, request_id: bytes) -> Response:
    """The response to a request that exceeds a limit."""
    sentence = "Too many requests at once; try again in a moment."
    return error(head, 503, "limit", sentence, request_id, fields=(_RETRY,))


def failed(head: RequestHead, request_id: bytes) -> Response:
    """The response after a fault of labgate's, which ends the connection."""
    sentence = "This server failed to answer the request; its log has the reason."
    return error(head, 500, "fault", sentence, request_id, close=True)


_SENTENCES = {
    502: "Jupyter's answer could not be understood.",
    503: "Jupyter is not answering yet; try again in a moment.",
    504: "Jupyter did not answer in time.",
}
