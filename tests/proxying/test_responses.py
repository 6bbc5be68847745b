"""labgate's own responses as values; what people read of them is in test_errors."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from proxy.errors import ClientFault, UpstreamDown, UpstreamError, UpstreamGarbage, UpstreamTimeout
from proxy.observe.record import Record
from proxy.proxying import responses
from proxy.rules.decision import Refuse
from proxy.short_response import Response
from proxy.web.page import WAITING_PAGE
from tests.heads import get

RECORD = Record(get(b"Accept: */*"), request_id=b"0af7")
PAGE = Record(get(b"Accept: text/html", b"Sec-Fetch-Mode: navigate"), request_id=b"0af7")


def test_a_redirect_says_where() -> None:
    redirect = responses.redirect_response(308, "https://lab.example.org/")
    assert redirect.status == 308
    assert (b"Location", b"https://lab.example.org/") in redirect.fields
    assert redirect.content == b"This is at https://lab.example.org/\n"
    assert not redirect.close


@pytest.mark.parametrize("close", [True, False])
def test_a_page_brings_its_policy(close: bool) -> None:
    page = responses.html(503, WAITING_PAGE, ((b"A", b"b"),), close=close)
    assert (page.status, page.content, page.close) == (503, WAITING_PAGE.content, close)
    assert (b"Content-Type", b"text/html; charset=utf-8") in page.fields
    assert (b"Content-Security-Policy", WAITING_PAGE.policy) in page.fields
    assert (b"A", b"b") in page.fields
    assert not responses.html(503, WAITING_PAGE).close


@pytest.mark.parametrize("close", [True, False])
def test_a_refusal_says_whether_the_connection_ends(close: bool) -> None:
    refusal = Refuse(401, "basic-auth", "Log in.", fields=((b"A", b"b"),), close=close)
    refused = responses.refusal_response(RECORD, refusal)
    assert (refused.status, refused.content, refused.close) == (401, b"Log in.\n", close)
    assert {(b"A", b"b"), (b"X-Request-Id", b"0af7")} <= set(refused.fields)


AFTER: list[tuple[UpstreamError | ClientFault | ConnectionError, bool, int, bool]] = [
    (UpstreamDown("x"), False, 503, False),
    (UpstreamGarbage("x"), False, 502, False),
    (UpstreamTimeout("x"), False, 504, False),
    (UpstreamDown("x"), True, 500, True),
    (ClientFault(408, "Too slow."), False, 408, True),
    (ClientFault(400, "Malformed."), True, 400, True),
]


@pytest.mark.parametrize(("reason", "internal", "status", "close"), AFTER)
def test_after_an_error(
    reason: UpstreamError | ClientFault, internal: bool, status: int, close: bool
) -> None:
    after = responses.after_error(RECORD, reason, internal=internal)
    assert after is not None
    assert (after.status, after.close) == (status, close)
    retry = (b"Retry-After", b"2") in after.fields
    assert retry is (status == 503)


def test_nobody_gets_a_response_who_has_gone() -> None:
    assert responses.after_error(RECORD, ConnectionResetError(), internal=False) is None


def test_a_page_that_waits_loads_itself_again() -> None:
    waiting = responses.unavailable(PAGE, 503)
    assert waiting.content == WAITING_PAGE.content
    assert (b"Retry-After", b"2") in waiting.fields
    assert responses.unavailable(PAGE, 502).content != WAITING_PAGE.content


def test_too_many_at_once() -> None:
    crowded = responses.crowded(RECORD)
    assert (crowded.status, crowded.close) == (503, False)
    assert crowded.content == b"Too many requests at once; try again in a moment.\n"


JSON = Record(get(b"Accept: application/json"), request_id=b"0af7")
FORBIDDEN = Refuse(403, "origin", "No.")
REASONS: list[tuple[Callable[[], Response], str, str]] = [
    (
        lambda: responses.crowded(JSON),
        "limit",
        "Too many requests at once; try again in a moment.",
    ),
    (
        lambda: responses.failed(JSON),
        "fault",
        "This server failed to answer the request; its log has the reason.",
    ),
    (lambda: responses.refusal_response(JSON, FORBIDDEN), "origin", "No."),
    (
        lambda: responses.unavailable(JSON, 502),
        "upstream",
        "Jupyter's answer could not be understood.",
    ),
    (
        lambda: responses.unavailable(JSON, 503),
        "upstream",
        "Jupyter is not answering yet; try again in a moment.",
    ),
    (lambda: responses.unavailable(JSON, 504), "upstream", "Jupyter did not answer in time."),
]


@pytest.mark.parametrize(("respond", "reason", "message"), REASONS)
def test_a_program_reads_the_reason(
    respond: Callable[[], Response], reason: str, message: str
) -> None:
    response = respond()
    assert json.loads(response.content) == {
        "message": message,
        "reason": reason,
        "request_id": "0af7",
    }
    assert (b"Content-Type", b"application/json") in response.fields
    assert not [value for name, value in response.fields if name == b"Content-Security-Policy"]


def test_what_is_crowded_says_when_to_come_again() -> None:
    assert (b"Retry-After", b"2") in responses.crowded(RECORD).fields
    assert not responses.crowded(RECORD).close
    assert responses.failed(RECORD).close


def test_an_error_page_brings_its_policy() -> None:
    failed = responses.failed(PAGE)
    (policy,) = [value for name, value in failed.fields if name == b"Content-Security-Policy"]
    assert policy.startswith(b"default-src 'none'")
    assert (b"Content-Type", b"text/html; charset=utf-8") in failed.fields
