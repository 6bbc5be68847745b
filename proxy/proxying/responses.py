"""Builds labgate's own responses: refusals, redirects, the page while Jupyter is away.

They show no version and not labgate's name: an attacker learns nothing from an error.

Tested by tests/proxying/test_errors.py.
"""

from __future__ import annotations

from proxy.errors import STATUS_OF, ClientFault, UpstreamError
from proxy.observe.record import Record
from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from proxy.rules.negotiation import is_navigation
from proxy.rules.request_id import FIELD
from proxy.short_response import Response, plain, response
from proxy.web.error_content import error_content
from proxy.web.page import WAITING_PAGE, Page

RETRY_AFTER_SECONDS = 2

_RETRY: Field = (b"Retry-After", b"%d" % RETRY_AFTER_SECONDS)


def redirect_response(status: int, location: str) -> Response:
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
    record: Record,
    status: int,
    reason: str,
    sentence: str,
    *,
    fields: tuple[Field, ...] = (),
    close: bool = False,
) -> Response:
    """An error in the form that the client prefers: a page, JSON or the sentence.

    Args:
        record: The request's; its identifier is shown, so that an operator can find the log line.
        status: The response's status.
        reason: The rule that refused, or another short name of the error.
        sentence: What happened.
        fields: Further fields of the response.
        close: Whether the client's connection must end with it.
    """
    shown = error_content(record.head, status, reason, sentence, record.request_id.decode("ascii"))
    policy = ((b"Content-Security-Policy", shown.policy),) if shown.policy else ()
    named = (*fields, *policy, (FIELD, record.request_id))
    return response(status, shown.content, shown.content_type, named, close=close)


def refusal_response(record: Record, refusal: Refuse) -> Response:
    """The response to a refused request."""
    return error(
        record,
        refusal.status,
        refusal.rule,
        refusal.sentence,
        fields=refusal.fields,
        close=refusal.close,
    )


def after_error(
    record: Record,
    reason: UpstreamError | ClientFault | ConnectionError,
    *,
    internal: bool,
) -> Response | None:
    """The response when the upstream's cannot be had; None if the client has gone.

    Args:
        record: The request's.
        reason: Why.
        internal: Whether the upstream is labgate's web application.
    """
    if isinstance(reason, ClientFault):
        return error(record, reason.status, "content", str(reason), close=True)
    if isinstance(reason, ConnectionError):
        return None
    if internal:
        return failed(record)
    return unavailable(record, STATUS_OF[type(reason)])


def unavailable(record: Record, status: int) -> Response:
    """Jupyter gave no response. A page that a person looks at loads itself again after a 503."""
    if status != 503:
        return error(record, status, "upstream", _SENTENCES[status])
    head = record.head
    if head.method in (b"GET", b"HEAD") and is_navigation(head):
        return html(503, WAITING_PAGE, (_RETRY, (FIELD, record.request_id)))
    return error(record, 503, "upstream", _SENTENCES[503], fields=(_RETRY,))


def crowded(record: Record) -> Response:
    """The response to a request that exceeds a limit."""
    sentence = "Too many requests at once; try again in a moment."
    return error(record, 503, "limit", sentence, fields=(_RETRY,))


def failed(record: Record) -> Response:
    """The response after a fault of labgate's, which ends the connection."""
    sentence = "This server failed to answer the request; its log has the reason."
    return error(record, 500, "fault", sentence, close=True)


_SENTENCES = {
    502: "Jupyter's answer could not be understood.",
    503: "Jupyter is not answering yet; try again in a moment.",
    504: "Jupyter did not answer in time.",
}
