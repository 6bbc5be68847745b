"""Chunked content: what may stand around it, to the byte, and what becomes of it."""

from __future__ import annotations

from time import monotonic

import pytest

from proxy.errors import ClientFault
from proxy.http1.chunked_body import (
    FRAMING_ALLOWANCE_BYTES,
    FRAMING_FACTOR,
    ChunkedBody,
    open_body,
)
from proxy.http1.request_body import (
    EXPECT_CONTINUE_SECONDS,
    MAX_BUFFERED_BODY_BYTES,
    SizedBody,
)
from proxy.net.limits import Limits
from proxy.rules.framing import Framing

LIMITS = Limits(head=8192, fields=16, content_grace_seconds=5.0, content_pace=100)
TOO_MUCH = r"^There is too much around the request's content\.$"


class Source:
    """A connection that is asked to pause."""

    def __init__(self) -> None:
        self.paused = False

    def pause_reading(self) -> None:
        self.paused = True

    def resume_reading(self) -> None:
        self.paused = False


def body() -> ChunkedBody:
    return ChunkedBody(Source(), LIMITS, expects_continue=False)


def padded_chunk(size: int) -> bytes:
    """A chunk of one byte that takes this many, most of them an extension."""
    bare = b"1;\r\na\r\n"
    return b"1;" + b"x" * (size - len(bare)) + b"\r\na\r\n"


@pytest.mark.parametrize(("more", "refused"), [(0, False), (1, True)])
@pytest.mark.parametrize("chunks", [1, 2])
def test_framing_may_take_so_many_bytes(chunks: int, more: int, refused: bool) -> None:
    content = body()
    most = FRAMING_ALLOWANCE_BYTES + chunks * (FRAMING_FACTOR + 1)
    for _ in range(chunks - 1):
        content.feed(padded_chunk(1000))
        most -= 1000
    content.feed(padded_chunk(most + more))
    _check(content, refused)


@pytest.mark.parametrize(("more", "refused"), [(0, False), (1, True)])
@pytest.mark.parametrize("begun", [False, True])
def test_so_many_bytes_may_come_without_content(begun: bool, more: int, refused: bool) -> None:
    content = body()
    if begun:
        content.feed(b"1;" + b"x" * 100)
        content.feed(b"\r\na\r\n")
    content.feed(b"1;" + b"x" * 98)
    content.feed(b"x" * (LIMITS.head - 100 + more))
    _check(content, refused)


@pytest.mark.parametrize(("trailers", "refused"), [(16, False), (17, True)])
def test_so_many_trailers_may_come(trailers: int, refused: bool) -> None:
    content = body()
    content.feed(b"1\r\na\r\n0\r\n" + b"A: b\r\n" * trailers + b"\r\n")
    _check(content, refused)
    assert content.complete
    assert (content.arrived() is None) is refused


def _check(content: ChunkedBody, refused: bool) -> None:
    if refused:
        with pytest.raises(ClientFault, match=TOO_MUCH) as fault:
            content.take()
        assert fault.value.status == 400
    else:
        assert content.take() in (b"a", b"aa", None)


def test_what_is_no_chunk_is_refused() -> None:
    content = body()
    content.feed(b"no size\r\n")
    with pytest.raises(ClientFault, match=r"^The request's content is not well-formed\.$") as fault:
        content.take()
    assert fault.value.status == 400


def test_the_content_comes_without_its_framing() -> None:
    content = body()
    assert content.length is None
    content.feed(b"3\r\nabc\r\n2\r\nde\r\n1\r\n")
    assert (content.take(), content.take()) == (b"abcde", None)
    content.feed(b"f\r\n0\r\n\r\n")
    assert content.complete
    assert not content.outstanding
    assert (content.take(), content.take()) == (b"f", b"")


@pytest.mark.parametrize("behind", [b"GET / HTTP/1.1\r\n\r\n", b"x"])
def test_what_comes_behind_the_last_chunk_is_no_content(behind: bytes) -> None:
    for together in (True, False):
        content = body()
        pieces = [b"1\r\na\r\n0\r\n\r\n", behind]
        for piece in [b"".join(pieces)] if together else pieces:
            content.feed(piece)
        assert content.arrived() == b"a"
        assert content.outstanding


def test_an_empty_line_behind_the_last_chunk_is_no_content_either() -> None:
    content = body()
    content.feed(b"1\r\na\r\n0\r\n\r\n")
    content.feed(b"\r\n")
    assert content.outstanding


def test_chunks_that_come_together_wait_as_one_piece() -> None:
    content = body()
    content.feed(b"1\r\na\r\n")
    content.feed(b"1\r\nb\r\n1\r\nc\r\n")
    assert content._pieces == [b"a", b"bc"]
    content.feed(b"1\r\nd\r\n1\r\ne\r\n1\r\nf\r\n")
    assert content._pieces == [b"a", b"bc", b"def"]


@pytest.mark.parametrize("framing", [Framing(2**20, False, None), Framing(0, True, None)])
def test_so_much_content_may_wait(framing: Framing) -> None:
    source = Source()
    content = open_body(source, LIMITS, framing, expects_continue=False)
    for _ in range(2):
        paused = []
        for size in (MAX_BUFFERED_BODY_BYTES - 1, 1, 1):
            piece = b"x" * size
            content.feed(b"%x\r\n%b\r\n" % (size, piece) if framing.chunked else piece)
            paused.append(source.paused)
        assert paused == [False, False, True]
        assert content.take() == b"x" * (MAX_BUFFERED_BODY_BYTES + 1)
        assert not source.paused


@pytest.mark.parametrize("how", ["discard", "fail"])
def test_nothing_is_read_any_more(how: str) -> None:
    content = body()
    content.feed(b"1\r\na\r\n")
    if how == "discard":
        content.discard()
    else:
        content.fail(ConnectionResetError("the client went away"))
    content.feed(b"no size\r\n")
    assert content.outstanding
    if how == "fail":
        with pytest.raises(ConnectionResetError, match=r"^the client went away$"):
            content.take()


@pytest.mark.parametrize("framing", [Framing(9, False, None), Framing(0, True, None)])
@pytest.mark.parametrize("expects_continue", [True, False])
def test_who_expects_100_may_wait_for_it(framing: Framing, expects_continue: bool) -> None:
    content = open_body(Source(), LIMITS, framing, expects_continue)
    assert type(content) is (ChunkedBody if framing.chunked else SizedBody)
    assert content.length == (None if framing.chunked else 9)
    assert content.take() is None
    content.check_pace(monotonic() + EXPECT_CONTINUE_SECONDS - 1, response_begun=False)
    if expects_continue:
        assert content.take() is None
    else:
        with pytest.raises(ClientFault):
            content.take()


@pytest.mark.parametrize("framing", [Framing(900, False, None), Framing(0, True, None)])
@pytest.mark.parametrize("expects_continue", [True, False])
def test_content_wins_back_time_by_its_pace(framing: Framing, expects_continue: bool) -> None:
    content = open_body(Source(), LIMITS, framing, expects_continue)
    assert content.take() is None
    # As if labgate had been waiting for three of the five seconds.
    assert content._waiting_since is not None
    content._waiting_since -= 3
    piece = b"x" * 100
    content.feed(b"64\r\n%b\r\n" % piece if framing.chunked else piece)
    assert content.take() == piece
    assert content.take() is None
    content.check_pace(monotonic() + 2.5, response_begun=False)
    assert content.take() is None
    content.check_pace(monotonic() + 3.5, response_begun=False)
    with pytest.raises(ClientFault, match="too slowly"):
        content.take()
