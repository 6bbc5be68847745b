"""However answers are cut into pieces, and whatever is wrong with them: each client gets its
own, whole and once, or learns that there is none."""

from __future__ import annotations

from dataclasses import dataclass
from time import monotonic

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from proxy.errors import UpstreamDown, UpstreamTimeout
from proxy.http1.client_connection import STALLED_SECONDS
from tests.heads import get
from tests.http1 import strict
from tests.http1.scripted import Line, RecordingReceiver, cut

NEXT = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext"
METHODS = st.sampled_from([b"GET", b"HEAD", b"POST"])
PLACES = st.lists(st.integers(0, 2000), max_size=12)
CONTENT = st.binary(max_size=60) | st.sampled_from([b"\r\n", b"0\r\n\r\n", NEXT, b"HTTP/1.1 200 "])
EXTENSIONS = st.sampled_from([b"", b";a", b';a="b c"', b";a=b;c=d"])


@dataclass(frozen=True)
class Answer:
    """An answer Jupyter may give; ``ends`` with the connection, or asks for its end."""

    method: bytes
    status: int
    raw: bytes
    content: bytes
    interim: int
    ends: bool


@st.composite
def chunked(draw: st.DrawFn, content: bytes) -> bytes:
    pieces = [piece for piece in cut(content, draw(st.lists(st.integers(0, 60)))) if piece]
    body = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), draw(EXTENSIONS), piece) for piece in pieces)
    trailers = draw(st.sampled_from([b"", b"X-T: 1\r\n", b"X-T: 1\r\nX-U:\r\n"]))
    return body + b"0" + draw(EXTENSIONS) + b"\r\n" + trailers + b"\r\n"


@st.composite
def answers(draw: st.DrawFn) -> Answer:
    method = draw(METHODS)
    status = draw(st.sampled_from([200, 204, 304, 404, 500]))
    content = draw(CONTENT)
    interim = draw(st.sampled_from([b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"]))
    interim += draw(st.sampled_from([b"", b"HTTP/1.1 100 Continue\r\n\r\n"]))
    framing = draw(st.sampled_from(["length", "chunked", "close"]))
    bodiless = method == b"HEAD" or status in (204, 304)
    lines = [b"HTTP/1.1 %d %b" % (status, draw(st.sampled_from([b"OK", b"", b"Not so"])))]
    lines += draw(st.lists(st.sampled_from([b"X-A: b", b"Set-Cookie: a=b", b"X-E:"]), max_size=3))
    body = content
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(content))
    elif framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
        body = draw(chunked(content))
    ends = draw(st.booleans())
    if ends:
        lines.append(b"Connection: close")
    if framing == "close" and status not in (204, 304):
        ends = True
    raw = interim + b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if bodiless else body)
    return Answer(method, status, raw, b"" if bodiless else content, interim.count(b"HTTP/"), ends)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(answers(), PLACES), min_size=1, max_size=6))
def test_each_client_gets_its_own_answer(sequence: list[tuple[Answer, list[int]]]) -> None:
    line = Line()
    for answer, places in sequence:
        received = RecordingReceiver()
        line.ask(received, answer.method)
        line.feed(cut(answer.raw, places))
        if answer.ends:
            line.end()
        assert received.failure is None
        assert received.complete == 1
        assert len(received.interim) == answer.interim
        assert received.heads[0].status == answer.status
        assert received.content == answer.content
        assert bool(line.reusable) != answer.ends
        if answer.ends:
            line = Line()
        assert not line.wire.closing


@st.composite
def mutated(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """An answer with something wrong in it, and the request's method."""
    answer = draw(answers())
    raw = answer.raw
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(raw)))
        size = draw(st.integers(0, 3))
        what = draw(
            st.sampled_from(
                [b"", b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b"\0", b",", b"0", b"1"]
            )
            | st.sampled_from([b"\r\n\r\n", b"Content-Length: 3\r\n", b"\r\nContent-Length: 1"])
            | st.sampled_from([b"\r\nTransfer-Encoding: chunked", b"Connection: close\r\n", NEXT])
            | st.binary(min_size=1, max_size=3)
        )
        raw = raw[:at] + what + raw[at + size :]
    return raw, answer.method


@settings(max_examples=400, deadline=None)
@given(mutated(), PLACES, st.booleans())
@example((b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"HEAD"), [], False)
@example((b"\r\nHTTP/1.1 204 OK\r\n\r\n", b"GET"), [], False)
def test_what_looks_whole_is_what_a_strict_reading_says(
    case: tuple[bytes, bytes], places: list[int], reset: bool
) -> None:
    """It may fail where a strict reader would not; never the other way round."""
    raw, method = case
    line, received = Line(), RecordingReceiver()
    line.ask(received, method)
    line.feed(cut(raw, places))
    reused = bool(line.reusable) and not line.wire.closing
    if reused:
        # The next client's exchange is its own, whatever came before it.
        after = RecordingReceiver()
        line.ask(after)
        line.feed(cut(NEXT, places))
        assert (after.complete, after.content) == (1, b"next")
        assert bool(line.reusable)
    line.end(ConnectionResetError() if reset else None)
    assert received.over
    if not received.complete:
        return
    reading = strict.read(raw, method)
    assert reading is not None
    assert received.heads[0].status == reading.status
    assert received.heads[0].fields == reading.fields
    assert received.content == reading.content
    if reused:
        assert not reading.close
        # llhttp skips empty lines behind an answer, so that they reach nobody.
        assert not reading.rest.strip(b"\r\n")


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), PLACES, METHODS)
def test_noise_is_no_answer(noise: bytes, places: list[int], method: bytes) -> None:
    line, received = Line(), RecordingReceiver()
    line.ask(received, method)
    line.feed(cut(noise, places))
    line.end()
    assert received.failure is not None
    assert not line.reusable


def test_a_connection_that_is_gone_takes_no_request() -> None:
    line = Line()
    line.end()
    with pytest.raises(UpstreamDown):
        line.ask(RecordingReceiver())


def test_nothing_more_is_read_behind_a_101_until_the_tunnel_is_open() -> None:
    line, received = Line(), RecordingReceiver()
    line.ask(received, upgrade=True)
    line.feed([b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\nframes"])
    assert received.upgraded == b"frames"
    assert not line.wire.reading


def test_an_upload_that_jupyter_does_not_take_ends() -> None:
    line, received = Line(), RecordingReceiver()
    line.connection.send(received, get(method=b"PUT"), b"", b"1", None)
    line.connection.pause_writing()
    now = monotonic()
    line.connection.check_time(now + STALLED_SECONDS - 60, 1, 1)
    assert not received.over
    line.connection.check_time(now + STALLED_SECONDS + 60, 1, 1)
    assert isinstance(received.failure, UpstreamTimeout)
    assert line.wire.closing


def test_an_upload_that_moves_goes_on() -> None:
    line, received = Line(), RecordingReceiver()
    line.connection.send(received, get(method=b"PUT"), b"", b"1", None)
    line.connection.pause_writing()
    line.connection.resume_writing()
    line.connection.check_time(1e12, 1, 1)
    assert received.failure is None
