"""Content of known length, in memory: what is taken, and what becomes of what nobody takes."""

from __future__ import annotations

from time import monotonic

import pytest

from proxy.errors import ClientFault
from proxy.http1.request_body import EXPECT_CONTINUE_SECONDS, SizedBody
from tests.http1.test_chunked_body import LIMITS, Source


def body(length: int = 9) -> SizedBody:
    return SizedBody(Source(), LIMITS, length)


def test_what_has_arrived_is_taken_together() -> None:
    content = body()
    for piece in (b"123", b"456"):
        content.feed(piece)
    assert (content.take(), content.take()) == (b"123456", None)
    content.feed(b"789")
    content.end()
    assert content.complete
    assert not content.outstanding
    assert (content.take(), content.take()) == (b"789", b"")


def test_all_of_it_is_taken_at_once_when_it_is_here() -> None:
    content = body()
    content.feed(b"1234")
    assert content.arrived() is None
    content.feed(b"56789")
    assert content.arrived() is None
    content.end()
    assert content.arrived() == b"123456789"
    assert content.take() == b""


def test_nothing_is_no_end() -> None:
    """A frame of HTTP/2 may be empty."""
    content = body()
    content.feed(b"")
    assert content.take() is None


def test_whoever_waits_is_called_for_content_for_its_end_and_for_its_failure() -> None:
    calls: list[str] = []
    content = body()
    content.when_more(lambda: calls.append("more"))
    content.feed(b"1")
    content.fail(ConnectionResetError("the client went away"))
    assert len(calls) == 2
    content = body()
    content.when_more(lambda: calls.append("end"))
    content.end()
    assert calls == ["more", "more", "end"]


def test_a_client_that_leaves_behind_its_content_spoils_nothing() -> None:
    content = body()
    content.feed(b"123456789")
    content.end()
    content.fail(ConnectionResetError("the client went away"))
    assert content.arrived() == b"123456789"


def test_the_first_failure_is_told() -> None:
    content = body()
    assert content.take() is None
    content.check_pace(monotonic() + LIMITS.content_grace_seconds + 1, response_begun=False)
    content.fail(ConnectionResetError("the client went away"))
    assert content.outstanding
    assert content.arrived() is None
    with pytest.raises(ClientFault, match=r"^The request's content came too slowly\.$") as fault:
        content.take()
    assert fault.value.status == 408


def test_content_that_nobody_had_asked_for_may_take_its_time() -> None:
    content = body()
    content.check_pace(monotonic() + 1e6, response_begun=False)
    assert content.take() is None


def test_what_is_dropped_is_not_taken_and_not_awaited() -> None:
    content = body()
    content.feed(b"123")
    assert content.take() == b"123"
    assert content.take() is None
    content.discard()
    content.feed(b"456")
    content.check_pace(monotonic() + 1e6, response_begun=False)
    assert content.outstanding
    content.feed(b"789")
    content.end()
    assert content.arrived() == b""


def test_who_expects_100_has_all_its_time_behind_it() -> None:
    content = SizedBody(Source(), LIMITS, 9, expects_continue=True)
    assert content.take() is None
    patience = monotonic() + EXPECT_CONTINUE_SECONDS
    for seconds in (-1, LIMITS.content_grace_seconds - 2):
        content.check_pace(patience + seconds, response_begun=False)
    assert content.take() is None


def test_who_expects_100_is_not_waited_for_for_ever() -> None:
    content = SizedBody(Source(), LIMITS, 9, expects_continue=True)
    assert content.take() is None
    patience = monotonic() + EXPECT_CONTINUE_SECONDS
    for seconds in (-1, LIMITS.content_grace_seconds + 1):
        content.check_pace(patience + seconds, response_begun=False)
    with pytest.raises(ClientFault):
        content.take()
