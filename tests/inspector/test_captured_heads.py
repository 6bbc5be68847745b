"""Heads are captured without their secrets, and once where they repeat."""

from __future__ import annotations

from dataclasses import replace

import pytest

import proxy.inspector.captured_text as captured_text
from proxy.inspector.captured_heads import MAX_REMEMBERED_EXCHANGES, HeadCaptures
from proxy.observe.record import FieldsUp, Record, SentDown
from proxy.rules.changes import Change
from proxy.rules.head import ResponseHead
from tests.heads import get

ANSWER = ResponseHead(200, b"OK", ((b"Server", b"?token=s3cret"), (b"Set-Cookie", b"a=s3cret")))
SENT: SentDown = (200, b"OK", ANSWER.fields)
UP = FieldsUp(((b"Cookie", b"a=s3cret"),), (Change("host", b"Host", b"u:s3cret@h", b"b"),))


def forwarded(
    target: bytes = b"/lab?token=s3cret", *fields: bytes, sent: SentDown | None = SENT
) -> Record:
    head = get(*(fields or (b"Cookie: a=s3cret", b"Accept: ?token=s3cret")), target=target)
    return Record(
        head, fields_up=UP, upstream_target=target, upstream_response=ANSWER, sent_down=sent
    )


def refused(cookie: bytes = b"a=b") -> Record:
    return Record(get(b"Cookie: " + cookie), sent_down=SENT)


def test_no_secret_is_captured_or_remembered() -> None:
    captures = HeadCaptures()
    heads = captures.of(forwarded())
    assert heads.received.line == "GET /lab?token=[redacted] HTTP/1.1"
    assert heads.sent_up is not None
    assert heads.sent_up.fields == (("Cookie", "a=[redacted]"), ("X-Request-Id", ""))
    assert heads.answered == heads.sent_down
    assert captured_text._fields
    remembered = (vars(captures), captured_text._fields, captured_text._changes)
    assert "s3cret" not in repr((heads, remembered))


def test_what_repeats_is_captured_once() -> None:
    captures = HeadCaptures()
    assert captures.of(forwarded()) is captures.of(forwarded())
    assert captures.of(refused()) is captures.of(refused())


def test_a_response_that_was_not_sent_down_is_not_taken_for_another() -> None:
    captures = HeadCaptures()
    for status in (200, 500):
        record = replace(
            forwarded(sent=None), upstream_response=replace(ANSWER, status=status, reason=b"")
        )
        answered = captures.repeated(record).answered
        assert answered is not None
        assert answered.line == f"HTTP/1.1 {status}"


@pytest.mark.parametrize(
    "other",
    [
        Record(get(b"Cookie: a=b")),
        Record(get(b"Cookie: a=c")),
        Record(get(b"Cookie: a=b", method=b"HEAD")),
        Record(get(b"Cookie: a=b", target=b"/other")),
        Record(replace(get(b"Cookie: a=b"), version=(1, 0))),
        forwarded(b"/other"),
        replace(forwarded(), upstream_target=b"/below"),
        replace(forwarded(), fields_up=FieldsUp(UP.pairs, ())),
        replace(forwarded(), upstream_response=None),
        replace(forwarded(), upstream_response=replace(ANSWER, status=201)),
        replace(forwarded(), upstream_response=replace(ANSWER, reason=b"Fine")),
        replace(forwarded(), upstream_response=replace(ANSWER, fields=())),
        replace(forwarded(), changes_down=[Change("hsts", b"X", None, b"1")]),
    ],
)
@pytest.mark.parametrize(
    "sent", [None, SENT, (404, b"OK", ()), (200, b"Fine", ()), (200, b"OK", ())]
)
def test_what_differs_is_not_taken_for_it(other: Record, sent: SentDown | None) -> None:
    captures = HeadCaptures()
    other = replace(other, sent_down=sent)
    expected = HeadCaptures().of(other)
    for record in (forwarded(), refused()):
        for known in (SENT, None, (204, b"OK", ())):
            captures.of(replace(record, sent_down=known))
    assert captures.of(other) == expected


def test_what_is_remembered_is_bounded() -> None:
    captures = HeadCaptures()
    large = forwarded(b"/", b"X-Long: " + b"x" * 40_000, *(b"X: " + b"x" * 4000 for _ in range(9)))
    assert captures.of(large) is not captures.of(large)
    first = captures.of(forwarded())
    for number in range(MAX_REMEMBERED_EXCHANGES):
        captures.of(forwarded(b"/%d" % number, sent=None))
    assert captures.of(forwarded()) is not first
