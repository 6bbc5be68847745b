"""What is read of one response, as tables: how it ends, what is no part of it, what is none at all.

``test_response_parser`` asks the same of whatever hypothesis thinks of.
"""

from __future__ import annotations

import pytest

from proxy.http1.response_parser import MAX_HEAD_BYTES, ResponseParser
from proxy.rules.response_faults import MAX_RESPONSE_FIELDS
from tests.http1.scripted import RecordingReceiver

STATUS = b"HTTP/1.1 %d Not so\r\n"
TWO, CODED, CLOSE = (
    b"Content-Length: 2\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Connection: close\r\n",
)
REUSABLE, LAST, UNTIL_THE_END, HALF = "reusable", "the last one", "until the end", "half"
NOT_HTTP = "the response is not HTTP"
LLHTTP = f"{NOT_HTTP}: "
"""The beginning of the sentence; the rest is llhttp's."""


def response(status: int, *fields: bytes, content: bytes = b"") -> bytes:
    return STATUS % status + b"".join(fields) + b"\r\n" + content


def cut_into(segments: str, data: bytes) -> list[bytes]:
    return [data] if segments == "whole" else [data[at : at + 1] for at in range(len(data))]


READ = [
    pytest.param(b"GET", response(200, TWO, content=b"ok"), REUSABLE, id="length"),
    pytest.param(
        b"GET", response(200, CODED, content=b"2\r\nok\r\n0\r\n\r\n"), REUSABLE, id="chunks"
    ),
    pytest.param(b"GET", response(200, content=b"ok"), UNTIL_THE_END, id="neither"),
    pytest.param(b"GET", response(205), UNTIL_THE_END, id="205"),
    pytest.param(b"GET", response(204), REUSABLE, id="204"),
    pytest.param(b"GET", response(304), REUSABLE, id="304"),
    pytest.param(b"GET", response(200, TWO, CLOSE, content=b"ok"), LAST, id="it says so"),
    pytest.param(b"GET", response(200, TWO, content=b"o"), HALF, id="half its content"),
    pytest.param(b"GET", response(200, CODED, content=b"2\r\nok\r\n"), HALF, id="half its chunks"),
    pytest.param(b"GET", response(200, TWO)[:-1], HALF, id="half a head"),
    pytest.param(b"GET", response(102), HALF, id="an interim one only"),
    pytest.param(b"HEAD", response(200, TWO), REUSABLE, id="HEAD"),
    pytest.param(b"HEAD", response(200, b"Content-Length: 0\r\n"), REUSABLE, id="HEAD of nothing"),
    pytest.param(b"HEAD", response(200, CODED), REUSABLE, id="HEAD of chunks"),
    pytest.param(b"HEAD", response(204, CODED), REUSABLE, id="HEAD, 204 of chunks"),
    pytest.param(b"HEAD", response(304, CODED), REUSABLE, id="HEAD, 304 of chunks"),
    pytest.param(b"HEAD", response(200, TWO, CLOSE), LAST, id="HEAD, it says so"),
    pytest.param(b"HEAD", response(200), LAST, id="HEAD without a length"),
]


@pytest.mark.parametrize("segments", ["whole", "bytes"])
@pytest.mark.parametrize(("method", "data", "ending"), READ)
def test_how_a_response_ends(method: bytes, data: bytes, ending: str, segments: str) -> None:
    parser, received = ResponseParser(), RecordingReceiver()
    # The next one on the same connection is read alike.
    for _ in range(2 if ending is REUSABLE else 1):
        parser.begin(received, method)
        for piece in cut_into(segments, data):
            parser.feed(piece)
        assert ending_of(parser) == ending
    assert {head.reason for head in received.heads} <= {b"Not so"}


def ending_of(parser: ResponseParser) -> str:
    complete = parser.complete
    if parser.fault or complete:
        assert parser.ends_with_connection() is False
    assert parser.switched is None
    if parser.fault != "":
        assert not parser.reusable
        return parser.fault
    if complete:
        return REUSABLE if parser.reusable else LAST
    if not parser.ends_with_connection():
        return HALF
    assert parser.complete
    assert not parser.reusable
    return UNTIL_THE_END


SURPLUS = [
    pytest.param(b"GET", response(204), b"H", id="an octet"),
    pytest.param(b"GET", response(200, TWO, content=b"ok"), response(204), id="a response"),
    pytest.param(b"GET", response(200, TWO, content=b"ok"), b"\0", id="no response"),
    pytest.param(b"HEAD", response(200, TWO), b"ok", id="HEAD, content"),
    pytest.param(
        b"HEAD", response(200, b"Content-Length: 4\r\n"), b"\r\n\r\n", id="HEAD, empty lines"
    ),
    pytest.param(b"HEAD", response(200, CODED), b"2", id="HEAD, half a chunk"),
    pytest.param(b"HEAD", response(200, CODED), b"0\r\n\r\n", id="HEAD, the last chunk"),
    pytest.param(b"HEAD", response(200, CODED), b"no size\r\n\r\n", id="HEAD, no chunk"),
]


@pytest.mark.parametrize(("method", "whole", "surplus"), SURPLUS)
def test_what_comes_with_a_response_and_is_none_of_it_ends_the_connection(
    method: bytes, whole: bytes, surplus: bytes
) -> None:
    parser, received = ResponseParser(), RecordingReceiver()
    parser.begin(received, method)
    parser.feed(whole + surplus)
    assert ending_of(parser) == LAST
    assert len(received.heads) == 1
    assert received.content == (b"ok" if whole.endswith(b"ok") else b"")


FAULTS = [
    pytest.param(b"\r\n" + response(204), NOT_HTTP, id="an empty line first"),
    pytest.param(b"hTTP/1.1 204 No\r\n\r\n", NOT_HTTP, id="a small letter"),
    pytest.param(response(200, b"A : b\r\n"), LLHTTP, id="a space"),
    pytest.param(response(600, TWO), "the status 600 does not exist", id="a status"),
    pytest.param(response(600, content=b"ok"), "the status 600 does not exist", id="its content"),
    pytest.param(
        response(200, TWO, b"Content-Length: 3\r\n", content=b"ok"),
        LLHTTP,
        id="two lengths",
    ),
    pytest.param(response(101), LLHTTP, id="101 to nothing"),
]


@pytest.mark.parametrize(("data", "fault"), FAULTS)
def test_what_is_no_response_has_a_fault(data: bytes, fault: str) -> None:
    parser, received = ResponseParser(), RecordingReceiver()
    parser.begin(received, b"GET")
    parser.feed(data)
    told = ending_of(parser)
    assert told.startswith(LLHTTP) if fault is LLHTTP else told == fault
    assert (received.heads, received.content) == ([], b"")


@pytest.mark.parametrize("segments", ["whole", "bytes"])
def test_a_head_behind_an_interim_one_has_its_own_reason_and_fields(segments: str) -> None:
    data = response(103, b"Link: <a>\r\n") + response(200, TWO, b"X: \t maX \t \r\n", content=b"ok")
    parser, received = ResponseParser(), RecordingReceiver()
    parser.begin(received, b"GET")
    for piece in cut_into(segments, data):
        parser.feed(piece)
    (head,) = received.heads
    assert received.interim == [103]
    assert (head.status, head.reason) == (200, b"Not so")
    assert head.fields == ((b"Content-Length", b"2"), (b"X", b"maX"))
    assert parser.head is head


def test_a_101_has_no_end() -> None:
    parser = ResponseParser()
    parser.begin(RecordingReceiver(), b"GET")
    parser.feed(response(101, b"Connection: upgrade\r\nUpgrade: websocket\r\n", content=b"frame"))
    assert (parser.switched, parser.fault, parser.complete) == (b"frame", "", False)
    assert not parser.ends_with_connection()


def test_a_head_takes_time_from_its_first_octet_on() -> None:
    parser = ResponseParser()
    parser.begin(RecordingReceiver(), b"GET")
    begun = [parser.head_since is not None]
    for piece in (b"H", response(102)[1:], response(102) + b"H"):
        parser.feed(piece)
        begun.append(parser.head_since is not None)
    assert begun == [False, True, False, True]


TOO_MUCH = "there is too much around the response's content"
CHUNK = b"1\r\na\r\n"
MANY = b"A:b\r\n" * MAX_RESPONSE_FIELDS
AROUND = [
    pytest.param(b"", STATUS % 200, b"A: ", MAX_HEAD_BYTES, id="a field"),
    pytest.param(
        response(200, CODED),
        b"1;",
        b"",
        MAX_HEAD_BYTES - len(response(200, CODED)),
        id="an extension",
    ),
    pytest.param(
        response(200, CODED, content=CHUNK), b"1;", b"", MAX_HEAD_BYTES, id="one behind content"
    ),
]


@pytest.mark.parametrize(("more", "fault"), [(0, HALF), (1, TOO_MUCH)])
@pytest.mark.parametrize(("before", "first", "second", "size"), AROUND)
def test_so_much_may_stand_around_the_content(
    before: bytes, first: bytes, second: bytes, size: int, more: int, fault: str
) -> None:
    parser = ResponseParser()
    parser.begin(RecordingReceiver(), b"GET")
    padding = b"a" * (size - len(first) - len(second) + more)
    for piece in filter(None, (before, first, second + padding)):
        parser.feed(piece)
    assert ending_of(parser) == fault


@pytest.mark.parametrize(("more", "fault"), [(b"", HALF), (b"A:b\r\n", TOO_MUCH)])
def test_so_many_fields_may_come(more: bytes, fault: str) -> None:
    parser = ResponseParser()
    parser.begin(RecordingReceiver(), b"GET")
    # llhttp reports a field when the next one begins.
    parser.feed(STATUS % 200 + MANY + more + b"A")
    assert ending_of(parser) == fault


def test_the_first_fault_is_told() -> None:
    parser = ResponseParser()
    parser.begin(RecordingReceiver(), b"GET")
    parser.feed(STATUS % 200 + b"A : b\r\n" + b"a" * MAX_HEAD_BYTES)
    assert ending_of(parser).startswith(LLHTTP)
