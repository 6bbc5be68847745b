"""What labgate says itself: refusals, redirects, the page while Jupyter is away.

No version, no name of ours: a stranger learns nothing from an error.
"""

from __future__ import annotations

from http import HTTPStatus

from proxy.proxying.relay import http_date
from proxy.rules.model import Field, Refuse, RequestHead
from proxy.rules.negotiation import is_navigation
from proxy.web.error_content import error_content
from proxy.web.page import WAITING, Page

RETRY_AFTER_SECONDS = 2

_RETRY: Field = (b"Retry-After", b"%d" % RETRY_AFTER_SECONDS)


def plain(
    status: int,
    sentence: str,
    *,
    persistent: bool,
    bodiless: bool = False,
    fields: tuple[Field, ...] = (),
) -> bytes:
    """A whole response: one sentence, and what must stand in its head."""
    content = sentence.encode("utf-8") + b"\n"
    content_type = b"text/plain; charset=utf-8"
    return whole(status, content, content_type, (*fields, *_ending(persistent)), bodiless)


def redirect(status: int, location: str, *, persistent: bool, bodiless: bool) -> bytes:
    """A redirect; the sentence is for people who read with curl."""
    field = (b"Location", location.encode("ascii"))
    sentence = f"This is at {location}"
    return plain(status, sentence, persistent=persistent, bodiless=bodiless, fields=(field,))


def html(
    status: int,
    page: Page,
    *,
    persistent: bool,
    bodiless: bool = False,
    fields: tuple[Field, ...] = (),
) -> bytes:
    """A whole response: a page for people."""
    policy = (b"Content-Security-Policy", page.policy)
    fields = (*fields, policy, *_ending(persistent))
    return whole(status, page.content, b"text/html; charset=utf-8", fields, bodiless)


def error(
    head: RequestHead,
    status: int,
    reason: str,
    sentence: str,
    *,
    persistent: bool,
    fields: tuple[Field, ...] = (),
) -> bytes:
    """An error as the asker can make most of it: a page, JSON or the sentence.

    Args:
        head: The request.
        status: The answer's status.
        reason: The rule that refused, or another word for what is the matter.
        sentence: What happened.
        persistent: Whether the connection can carry another exchange.
        fields: Further fields of the answer.
    """
    told = error_content(head, status, reason, sentence)
    policy = ((b"Content-Security-Policy", told.policy),) if told.policy else ()
    fields = (*fields, *policy, *_ending(persistent))
    return whole(status, told.content, told.content_type, fields, head.method == b"HEAD")


def refused(head: RequestHead, refusal: Refuse, *, persistent: bool) -> bytes:
    """What a rule decided."""
    return error(
        head,
        refusal.status,
        refusal.rule,
        refusal.sentence,
        persistent=persistent,
        fields=refusal.fields,
    )


def unavailable(head: RequestHead, status: int, *, persistent: bool) -> bytes:
    """Jupyter gave no answer: a page that loads itself again for people who only look."""
    if status != 503:
        sentence = _SENTENCES.get(status, _SENTENCES[502])
        return error(head, status, "upstream", sentence, persistent=persistent)
    if head.method in (b"GET", b"HEAD") and is_navigation(head):
        bodiless = head.method == b"HEAD"
        return html(503, WAITING, persistent=persistent, bodiless=bodiless, fields=(_RETRY,))
    return error(head, 503, "upstream", _SENTENCES[503], persistent=persistent, fields=(_RETRY,))


def crowded(head: RequestHead, *, persistent: bool) -> bytes:
    """More is under way than may be."""
    sentence = "Too many requests are under way; try again in a moment."
    return error(head, 503, "limit", sentence, persistent=persistent, fields=(_RETRY,))


def failed(head: RequestHead) -> bytes:
    """A fault of ours, behind which nothing more is read."""
    sentence = "This server failed to answer the request; its log has the reason."
    return error(head, 500, "fault", sentence, persistent=False)


_SENTENCES = {
    502: "Jupyter's answer could not be understood.",
    503: "Jupyter is not answering yet; try again in a moment.",
    504: "Jupyter did not answer in time.",
}


def whole(
    status: int,
    content: bytes,
    content_type: bytes,
    fields: tuple[Field, ...],
    bodiless: bool,
) -> bytes:
    """Head and content as bytes."""
    lines = [
        b"HTTP/1.1 %d %b" % (status, HTTPStatus(status).phrase.encode("ascii")),
        b"Date: " + http_date(),
        b"Content-Type: " + content_type,
        b"Content-Length: %d" % len(content),
        b"Cache-Control: no-store",
        b"X-Content-Type-Options: nosniff",
        *(b"%b: %b" % field for field in fields),
        b"\r\n",
    ]
    return b"\r\n".join(lines) + (b"" if bodiless else content)


def _ending(persistent: bool) -> tuple[Field, ...]:
    return () if persistent else ((b"Connection", b"close"),)
