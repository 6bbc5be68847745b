"""Where one request ends and the next begins, however the octets are cut on their way."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.http1.connection_states import ClientState
from proxy.http1.request_parser import MAX_REMEMBERED_BYTES, RequestParser
from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.rules.decision import Refuse
from proxy.rules.framing import NO_LENGTH

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
UPGRADE = b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"
LIMITS = Limits(request_line=100, head=1000, fields=10)


def cut(segments: Sequence[bytes]) -> tuple[list[bytes], int, RequestParser]:
    """The octets that went on, one string a piece; the refusal's status; the parser.

    Every request is answered as soon as it is whole.
    """
    parser = RequestParser(LIMITS)
    pieces: list[bytes] = []
    for segment in segments:
        rest = segment
        while rest:
            piece, rest = parser.read(rest)
            if isinstance(piece, Refuse):
                return pieces, piece.status, parser
            if piece is not None:
                pieces.append(piece)
            if parser.state is ClientState.DONE:
                parser.next_request()
    return pieces, 0, parser


CASES: list[tuple[bytes, list[bytes], int, ClientState]] = [
    (GET, [GET], 0, ClientState.HEAD),
    (GET + GET, [GET, GET], 0, ClientState.HEAD),
    (b"\r\n" + GET + b"\r\n" + GET, [GET, GET], 0, ClientState.HEAD),
    (POST + b"12345" + GET, [POST, b"12345", GET], 0, ClientState.HEAD),
    (POST + b"123", [POST, b"123"], 0, ClientState.BODY),
    (POST + GET[:5] + GET, [POST, GET[:5], GET], 0, ClientState.HEAD),
    (CHUNKED + b"1\r\na\r\n" + GET, [CHUNKED, b"1\r\na\r\n" + GET], 0, ClientState.CHUNKED_BODY),
    (GET + b"GET  / HTTP/1.1\r\n" + GET, [GET], 400, ClientState.IGNORED),
    (GET + b"\r\n\r\n" + GET, [GET], 400, ClientState.IGNORED),
    (b"GET / HTTP/3.0\r\n\r\n" + GET, [], 505, ClientState.IGNORED),
    (b"GET / HTTP/1.7\r\n\r\n", [b"GET / HTTP/1.7\r\n\r\n"], 0, ClientState.HEAD),
]


@pytest.mark.parametrize("segments", ["whole", "bytes"])
@pytest.mark.parametrize(("data", "pieces", "status", "state"), CASES)
def test_cut(
    data: bytes, pieces: list[bytes], status: int, state: ClientState, segments: str
) -> None:
    octets = [data[at : at + 1] for at in range(len(data))]
    went, refused, parser = cut([data] if segments == "whole" else octets)
    assert (b"".join(went), refused, parser.state) == (b"".join(pieces), status, state)
    if segments == "whole":
        assert went == pieces


EARLY = [
    (b"GET  /", b" HTTP/1.1\r\n", 400),
    (b"\x16\x03\x01\x02", b"", 400),
    (b"GET /\n", b"", 400),
    (b"\n", b"", 400),
    (b"\r\n\n", b"", 400),
    (b"\r\n", b"\r\n", 400),
    (b"\r", b"x", 400),
    (GET + b"\n", b"", 400),
    (b"GET /", b"\r\n", 400),
    (b"GET / HTTP/1.1\r\nA: \x00", b"", 400),
    (b"GET / HTTP/1.1\r\nA: b\r", b"c", 400),
    (b"GET /" + b"a" * 98, b"", 414),
    (b"GET /" + b"a" * 98 + b" HTTP/1.1\r\nA", b"", 414),
    (b"GET / HTTP/1.1\r\nA: " + b"a" * 1000, b"", 431),
    (b"GET / HTTP/1.1 \r\nA: " + b"a" * 1000, b"", 400),
    (b"GET / HTTP/1.1\r\nA: \0" + b"a" * 1000, b"", 400),
    (b"GET /\0" + b"a" * 98, b"", 400),
]


@pytest.mark.parametrize(("first", "second", "status"), EARLY)
def test_a_faulty_head_is_refused_before_it_is_whole(
    first: bytes, second: bytes, status: int
) -> None:
    _, refused, parser = cut([first, second] if second else [first])
    assert (refused, parser.state, parser.buffered) == (status, ClientState.IGNORED, b"")


WAITING = [
    pytest.param(b"GET /" + b"a" * 97, id="a request line"),
    pytest.param(b"GET /" + b"a" * 86 + b" HTTP/1.1\r", id="one that ends"),
    pytest.param(b"GET /" + b"a" * 86 + b" HTTP/1.1\r\nA: " + b"a" * 999, id="fields behind it"),
    pytest.param(b"GET / HTTP/1.1\r\nA: " + b"a" * 999, id="fields"),
    pytest.param(b"GET / HTTP/1.1\r\nA: b\r\n\r", id="all but an octet"),
]


@pytest.mark.parametrize("data", WAITING)
def test_of_a_head_that_may_be_well_formed_the_rest_is_awaited(data: bytes) -> None:
    _, refused, parser = cut([data])
    assert (refused, parser.state, parser.buffered) == (0, ClientState.HEAD, data)


LINE = b"GET /" + b"a" * 86 + b" HTTP/1.1"


@pytest.mark.parametrize(("more", "status"), [(b"", 0), (b"a", 414)])
@pytest.mark.parametrize("fields", [b"\r\nHost: a\r\n\r\n", b"\r\n\r\n"])
def test_a_request_line_is_bounded_although_the_fields_are_known(
    fields: bytes, more: bytes, status: int
) -> None:
    first = b"GET / HTTP/1.1" + fields
    second = LINE.replace(b"/a", b"/" + more + b"a") + fields
    _, refused, _ = cut([first, second])
    assert refused == status


def test_a_length_that_is_none_is_refused_by_its_name() -> None:
    """Behind it nobody knows where another request begins."""
    refusal, rest = RequestParser(LIMITS).read(POST.replace(b"5", b"x") + GET)
    assert refusal == Refuse(400, "content-length", NO_LENGTH, close=True)
    assert rest == b""


def test_a_request_line_is_read_for_every_request() -> None:
    parser = RequestParser(LIMITS)
    for target in (b"/", b"/second"):
        parser.read(GET.replace(b"/ ", target + b" "))
        assert parser.request_line == (b"GET", target, (1, 1))
        parser.next_request()


def test_nothing_of_a_request_is_held_behind_its_connection() -> None:
    """An idle WebSocket would keep it for days."""
    for forget in (RequestParser.switch_protocols, RequestParser.ignore):
        parser = RequestParser(LIMITS)
        parser.read(GET)
        forget(parser)
        assert parser.request_line.target == b""
        assert parser.section.fields == ()


def test_behind_a_refusal_nothing_is_read() -> None:
    parser = RequestParser(LIMITS)
    piece, rest = parser.read(b"?\r\n\r\n" + GET)
    assert isinstance(piece, Refuse)
    assert rest == b""
    assert parser.read(GET) == (None, b"")
    assert parser.buffered == b""


def test_behind_a_request_octets_wait_for_its_answer() -> None:
    parser = RequestParser(LIMITS)
    assert parser.read(UPGRADE + GET) == (UPGRADE, GET)
    assert parser.read(GET) == (None, b"")
    assert parser.read(POST) == (None, b"")
    kept = parser.take_buffered()
    parser.next_request()
    assert parser.read(kept) == (GET, POST)
    parser.next_request()
    assert parser.read(POST) == (POST, b"")
    assert parser.read(b"12345") == (b"12345", b"")
    states = [parser.state]
    assert parser.read(b"\x81") == (None, b"")
    assert parser.read(b"\x00") == (None, b"")
    assert parser.switch_protocols() == b"\x81\x00"
    assert [*states, parser.state] == [ClientState.DONE, ClientState.SWITCHED]


def test_an_answer_may_come_before_the_content() -> None:
    parser = RequestParser(LIMITS)
    assert parser.read(POST + b"12") == (POST, b"12")
    assert parser.read(b"12") == (b"12", b"")
    parser.next_request()
    assert parser.read(b"345" + GET) == (b"345", GET)
    assert parser.read(GET) == (GET, b"")
    assert parser.state is ClientState.DONE


targets = st.text("abcXYZ019/?%=&.~", max_size=20).map(lambda text: b"/" + text.encode("ascii"))
contents = st.binary(max_size=40)


@st.composite
def requests(draw: st.DrawFn) -> tuple[bytes, bytes]:
    """A head and its content."""
    line = b"%b %b HTTP/1.1\r\n" % (draw(st.sampled_from([b"GET", b"PUT"])), draw(targets))
    content = draw(contents)
    field = b"Content-Length: %d\r\n" % len(content) if content or draw(st.booleans()) else b""
    return line + b"Host: a\r\n" + field + b"\r\n", content


@given(st.lists(requests(), min_size=1, max_size=4), st.data())
def test_cuts_do_not_matter(sent: list[tuple[bytes, bytes]], data: st.DataObject) -> None:
    stream = b"".join(head + content for head, content in sent)
    places = st.lists(st.integers(0, len(stream)), max_size=8)
    ends = [*sorted(data.draw(places)), len(stream)]
    segments = [stream[a:b] for a, b in zip([0, *ends], ends, strict=False)]
    pieces, refused, parser = cut(segments)
    assert (b"".join(pieces), refused, parser.state) == (stream, 0, ClientState.HEAD)
    went = iter(pieces)
    assert all(head in went for head, _ in sent), "a head went in pieces"


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_input_is_split_alike(data: bytes, at: int) -> None:
    whole, refused, _ = cut([data])
    halves, refused_too, _ = cut([data[:at], data[at:]])
    assert (b"".join(whole), refused) == (b"".join(halves), refused_too)


LINES = b"\r\nHost: x\r\nCookie: %b\r\n\r\n"
MOST = MAX_REMEMBERED_BYTES - len(LINES % b"")


@pytest.mark.parametrize(("octets", "remembered"), [(MOST, True), (MOST + 1, False)])
def test_large_field_lines_are_not_cached_for_the_next_request(
    octets: int, remembered: bool
) -> None:
    parser = RequestParser(DEFAULT_LIMITS)
    head = b"GET / HTTP/1.1" + LINES % (b"x" * octets)
    parser.read(head)
    first = parser.section
    parser.next_request()
    parser.read(head)
    assert (parser.section is first) is remembered
