"""The upstream's side over time, in memory: which waits fail a request, and with which words."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from time import monotonic

import pytest

from proxy.errors import UpstreamDown, UpstreamError, UpstreamGarbage, UpstreamTimeout
from proxy.http1.client_connection import STALLED_SECONDS, UpstreamConnection
from proxy.http1.response_parser import MAX_HEAD_BYTES
from proxy.rules.head import ResponseHead
from tests.heads import get
from tests.http1.memory_transport import MemoryTransport

GET, PUT = get(target=b"/x?y"), get(target=b"/x?y", method=b"PUT")
FIELD_LINES, REQUEST_ID = b"Host: h\r\n", b"5f-1"
SENT = b"GET /x?y HTTP/1.1\r\nHost: h\r\nX-Request-Id: 5f-1\r\n\r\n"
PUT_SENT = SENT.replace(b"GET", b"PUT")
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
HEAD_SECONDS, RESPONSE_SECONDS = 60.0, 10.0


class Answer:
    """A ``messages.Receiver`` that keeps what it is given."""

    def __init__(self, *, for_page: bool = False) -> None:
        self.for_page = for_page
        self.calls: list[object] = []
        self.errors: list[Exception] = []

    def on_interim(self, head: ResponseHead) -> None:
        self.calls.append(head.status)

    def on_head(self, head: ResponseHead) -> None:
        self.calls.append(head.status)

    def on_content(self, data: bytes) -> None:
        self.calls.append(data)

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        self.calls.append((head.status, rest))

    def on_pause(self) -> None:
        self.calls.append("pause")

    def on_end(self) -> None:
        self.calls.append("end")

    def on_failure(self, error: Exception) -> None:
        self.errors.append(error)


class Pool:
    """Whom a connection tells that it is free, or gone."""

    def __init__(self) -> None:
        self.released: list[bool] = []
        self.connection: UpstreamConnection | None = None

    def __call__(self, connection: UpstreamConnection, reusable: bool) -> None:
        assert connection is self.connection
        self.released.append(reusable)


def connected() -> tuple[UpstreamConnection, MemoryTransport, Pool]:
    pool, transport = Pool(), MemoryTransport()
    pool.connection = connection = UpstreamConnection(pool)
    connection.connection_made(transport)
    return connection, transport, pool


def sent(
    content: bytes | None = b"", *, for_page: bool = False, upgrade: bool = False
) -> tuple[UpstreamConnection, MemoryTransport, Pool, Answer]:
    connection, transport, pool = connected()
    answer = Answer(for_page=for_page)
    connection.send(answer, GET, FIELD_LINES, REQUEST_ID, content, upgrade=upgrade)
    return connection, transport, pool, answer


def check(connection: UpstreamConnection, now: float, response_seconds: float = 0.0) -> None:
    connection.check_time(now, HEAD_SECONDS, response_seconds)


async def test_a_response_may_take_its_time_unless_there_is_a_limit() -> None:
    connection, transport, _, answer = sent()
    now = monotonic()
    check(connection, now + 1e6)
    check(connection, now + RESPONSE_SECONDS - 1, RESPONSE_SECONDS)
    assert (answer.errors, transport.state) == ([], "open")
    check(connection, now + RESPONSE_SECONDS + 1, RESPONSE_SECONDS)
    (error,) = answer.errors
    assert (type(error), str(error)) == (UpstreamTimeout, "no response within 10 s")
    assert transport.state == "aborted"


async def test_the_limit_of_a_response_begins_with_the_end_of_the_request() -> None:
    connection, _, _, answer = sent(None)
    check(connection, monotonic() + 1e6, RESPONSE_SECONDS)
    connection.end_request()
    check(connection, monotonic() + RESPONSE_SECONDS - 1, RESPONSE_SECONDS)
    assert not answer.errors
    check(connection, monotonic() + RESPONSE_SECONDS + 1, RESPONSE_SECONDS)
    assert answer.errors


async def test_a_head_has_to_end_soon_after_its_beginning() -> None:
    connection, _, _, answer = sent()
    connection.data_received(b"HTTP/1.1 200 OK\r\n")
    now = monotonic()
    check(connection, now + HEAD_SECONDS - 1)
    assert not answer.errors
    check(connection, now + HEAD_SECONDS + 1)
    (error,) = answer.errors
    assert str(error) == "a response head took longer than 60 s"


async def test_content_and_what_is_idle_have_no_limit() -> None:
    connection, _, _, answer = sent()
    connection.data_received(ANSWER[:-1])
    check(connection, monotonic() + 1e6, RESPONSE_SECONDS)
    connection.data_received(ANSWER[-1:])
    check(connection, monotonic() + 1e6, RESPONSE_SECONDS)
    assert answer.errors == []
    assert answer.calls == [200, b"o", "pause", b"k", "end"]


async def test_an_upload_that_is_not_taken_fails() -> None:
    connection, _, _, answer = sent(None)
    connection.pause_writing()
    assert connection.congested
    now = monotonic()
    check(connection, now + STALLED_SECONDS - 1)
    assert not answer.errors
    check(connection, now + STALLED_SECONDS + 1)
    (error,) = answer.errors
    assert str(error) == "nothing of the upload taken in 600 s"


async def test_an_upload_that_goes_on_does_not_fail() -> None:
    connection, _, _, answer = sent(None)
    called: list[str] = []
    connection.pause_writing()
    connection.when_writable(lambda: called.append("writable"))
    connection.resume_writing()
    connection.resume_writing()
    assert not connection.congested
    assert called == ["writable"], "once"
    check(connection, monotonic() + 2 * STALLED_SECONDS)
    assert not answer.errors


@pytest.mark.parametrize("for_page", [True, False])
async def test_who_waits_for_a_page(for_page: bool) -> None:
    connection, _, _, _ = sent(for_page=for_page)
    now = monotonic()
    assert connection.page_since(now + 1) is for_page
    assert not connection.page_since(now - 10)
    connection.data_received(b"HTTP/1.1 ")
    assert not connection.page_since(now + 1), "the response has begun"
    connection.data_received(ANSWER[len(b"HTTP/1.1 ") : -1])
    assert not connection.page_since(now + 1), "it is here"
    connection.data_received(ANSWER[-1:])
    assert not connection.page_since(now + 1), "nobody waits"


async def test_nobody_waits_for_a_page_that_was_given_up() -> None:
    connection, _, _, _ = sent(for_page=True)
    connection.give_up()
    assert not connection.page_since(monotonic() + 1)


async def test_nobody_waits_for_a_page_before_the_request_is_sent() -> None:
    connection, _, _, _ = sent(None, for_page=True)
    assert not connection.page_since(monotonic() + 1)
    connection.end_request()
    assert connection.page_since(monotonic() + 1)


CHUNKED = b"4\r\ndata\r\n"


@pytest.mark.parametrize(
    ("content", "chunked", "written"),
    [
        (b"", False, b""),
        (b"data", False, b"data"),
        (b"", True, b"0\r\n\r\n"),
        (b"data", True, CHUNKED + b"0\r\n\r\n"),
        (None, False, b"data"),
        (None, True, CHUNKED + b"0\r\n\r\n"),
    ],
)
async def test_content_is_framed_as_its_length_is_known(
    content: bytes | None, chunked: bool, written: bytes
) -> None:
    connection, transport, pool = connected()
    connection.send(Answer(), PUT, FIELD_LINES, REQUEST_ID, content, chunked=chunked)
    if content is None:
        assert transport.written == PUT_SENT
        connection.send_content(b"data")
        connection.end_request()
    assert transport.written == PUT_SENT + written
    connection.data_received(ANSWER)
    assert pool.released == [True]


async def test_content_has_a_length_and_no_upgrade_is_wanted_unless_it_is_said() -> None:
    connection, transport, _ = connected()
    answer = Answer()
    connection.send(answer, PUT, FIELD_LINES, REQUEST_ID, b"data")
    assert transport.written == PUT_SENT + b"data"
    connection.data_received(SWITCH)
    assert [str(error) for error in answer.errors] == ["the upstream switched protocols unasked"]


async def test_a_response_to_head_has_no_content() -> None:
    connection, _, pool = connected()
    answer = Answer()
    connection.send(answer, get(method=b"HEAD"), FIELD_LINES, REQUEST_ID, b"")
    connection.data_received(ANSWER.removesuffix(b"ok"))
    assert (answer.calls, pool.released) == ([200, "end"], [True])


async def test_a_response_before_the_end_of_the_request_ends_the_connection() -> None:
    connection, transport, pool, answer = sent(None)
    connection.data_received(ANSWER)
    assert answer.calls == [200, b"ok", "end"]
    assert pool.released == [False]
    assert transport.state == "aborted"


async def test_a_connection_that_has_moved_is_not_used_again() -> None:
    connection, transport, pool, _ = sent()
    connection.retired = True
    connection.data_received(ANSWER)
    assert (pool.released, transport.state) == ([False], "aborted")


async def test_a_connection_is_used_again() -> None:
    connection, _, pool, answer = sent()
    reused = [connection.reused]
    for _ in range(2):
        connection.data_received(ANSWER)
        reused.append(connection.reused)
        connection.send(answer, GET, FIELD_LINES, REQUEST_ID, b"")
    assert reused == [False, True, True]
    assert pool.released == [True, True]
    assert connection.usable


ENDED_BY_LABGATE = {
    "its last response": lambda connection: connection.data_received(ANSWER),
    "aborted": UpstreamConnection.abort,
    "a tunnel's": UpstreamConnection.detach,
}


@pytest.mark.parametrize("end", ENDED_BY_LABGATE.values(), ids=ENDED_BY_LABGATE)
async def test_a_connection_is_wanted_until_labgate_ends_it(
    end: Callable[[UpstreamConnection], object],
) -> None:
    """The pool learns by that who has ended it: labgate, or Jupyter."""
    connection, _, _, _ = sent()
    assert connection.wanted is True
    connection.data_received(ANSWER)
    assert connection.wanted is True
    connection.retired = True
    connection.send(Answer(), GET, FIELD_LINES, REQUEST_ID, b"")
    end(connection)
    assert connection.wanted is False


class Faulty(Answer):
    """It has a fault, and keeps it."""

    def __init__(self) -> None:
        super().__init__()
        self.fault = ValueError("x")

    def on_head(self, head: ResponseHead) -> None:
        super().on_head(head)
        raise self.fault


async def test_a_fault_of_labgates_ends_the_request_and_the_connection() -> None:
    connection, transport, _ = connected()
    answer = Faulty()
    connection.send(answer, GET, FIELD_LINES, REQUEST_ID, b"")
    connection.data_received(ANSWER)
    assert (answer.errors, transport.state) == ([answer.fault], "aborted")
    connection.connection_lost(None)
    assert answer.errors == [answer.fault], "it is told once"


async def test_a_connection_that_is_not_made_yet_carries_nothing() -> None:
    connection = UpstreamConnection(Pool())
    assert not connection.usable
    assert not connection.quiet
    assert connection.sent_at is None
    with pytest.raises(UpstreamDown):
        connection.send(Answer(), GET, FIELD_LINES, REQUEST_ID, b"")


async def test_what_comes_before_the_first_request_ends_the_connection() -> None:
    """RFC 9112 section 9.2: it belongs to no request."""
    connection, transport, pool = connected()
    connection.data_received(ANSWER)
    assert (transport.state, pool.released) == ("aborted", [])


async def test_a_peer_that_vanishes_is_noticed() -> None:
    with socket.socket() as channel:
        UpstreamConnection(Pool()).connection_made(MemoryTransport(channel))
        assert channel.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


async def test_a_connection_is_quiet_until_jupyter_says_something() -> None:
    ours, jupyters = socket.socketpair()
    with ours, jupyters:
        connection, transport = UpstreamConnection(Pool()), MemoryTransport(ours)
        connection.connection_made(transport)
        quiet = [connection.quiet]
        jupyters.send(b"H")
        quiet.append(connection.quiet)
        ours.recv(1)
        quiet.append(connection.quiet)
        transport.close()
        quiet.append(connection.quiet)
    assert quiet == [True, False, True, False]


@pytest.mark.parametrize("end", [socket.SHUT_WR, socket.SHUT_RDWR])
async def test_a_connection_that_jupyter_has_ended_is_not_quiet(end: int) -> None:
    ours, jupyters = socket.socketpair()
    with ours, jupyters:
        connection = UpstreamConnection(Pool())
        connection.connection_made(MemoryTransport(ours))
        jupyters.shutdown(end)
        assert not connection.quiet


async def test_a_response_that_is_given_up_ends_the_connection_a_moment_later() -> None:
    connection, transport, _, answer = sent()
    connection.give_up()
    assert transport.state == "open", "the transport may be the caller"
    await asyncio.sleep(0)
    assert transport.state == "aborted"
    connection.connection_lost(None)
    assert (answer.calls, answer.errors) == ([], [])


async def test_congestion_ends_although_nobody_waits_for_it() -> None:
    connection, _, _, _ = sent(None)
    connection.pause_writing()
    connection.resume_writing()
    assert not connection.congested


async def test_a_lost_connection_sends_nothing() -> None:
    connection, transport, pool, answer = sent(None)
    connection.connection_lost(None)
    assert pool.released == [False]
    connection.send_content(b"data")
    connection.end_request()
    connection.pause_reading()
    connection.resume_reading()
    connection.abort()
    assert (transport.written, transport.reading, transport.state) == (SENT, True, "open")
    assert not connection.usable
    assert not connection.quiet
    with pytest.raises(UpstreamDown, match=r"^the upstream closed the connection at once$"):
        connection.send(answer, GET, FIELD_LINES, REQUEST_ID, b"")


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (b"", UpstreamDown, "the upstream closed the connection without an answer"),
        (b"HTTP/1.1 2", UpstreamGarbage, "the upstream closed in the middle of a response head"),
        (ANSWER[:-1], UpstreamGarbage, "the upstream closed in the middle of a response"),
    ],
)
async def test_a_loss_fails_the_request(data: bytes, kind: type[UpstreamError], words: str) -> None:
    connection, _, pool, answer = sent()
    called: list[str] = []
    connection.when_writable(lambda: called.append("writable"))
    if data:
        connection.data_received(data)
    connection.connection_lost(None)
    (error,) = answer.errors
    assert (type(error), str(error), pool.released) == (kind, words, [False])
    connection.resume_writing()
    assert called == [], "there is nothing to write to"


async def test_a_101_that_nobody_asked_for_fails_the_request() -> None:
    connection, transport, _, answer = sent()
    connection.data_received(SWITCH)
    (error,) = answer.errors
    assert (type(error), str(error)) == (UpstreamGarbage, "the upstream switched protocols unasked")
    assert transport.state == "aborted"


async def test_a_101_whose_connection_is_gone_fails_the_request() -> None:
    ours, jupyters = socket.socketpair()
    with ours, jupyters:
        pool, answer = Pool(), Answer()
        pool.connection = connection = UpstreamConnection(pool)
        connection.connection_made(MemoryTransport(ours))
        connection.send(answer, GET, FIELD_LINES, REQUEST_ID, b"", upgrade=True)
        jupyters.sendall(SWITCH)
        connection.connection_lost(ConnectionResetError())
    (error,) = answer.errors
    assert (type(error), str(error)) == (UpstreamDown, "the upstream closed right after its 101")
    assert answer.calls == []


@pytest.mark.parametrize(("more", "fault"), [(0, ""), (1, "the response's head is too large")])
async def test_a_head_may_be_as_large_as_the_limit(more: int, fault: str) -> None:
    """Counted are the reason and every field line, but not what follows the head."""
    connection, _, _, answer = sent()
    fields = [(b"Content-Length", b"2"), (b"A", b"")]
    size = len(b"OK") + sum(len(name + value) + 4 for name, value in fields)
    fields[1] = (b"A", b"x" * (MAX_HEAD_BYTES - size + more))
    head = b"HTTP/1.1 200 OK\r\n" + b"".join(b"%b: %b\r\n" % field for field in fields) + b"\r\n"
    connection.data_received(head + b"ok")
    assert [str(error) for error in answer.errors] == ([fault] if fault else [])
    assert (b"ok" in answer.calls) is not bool(fault)


async def test_a_tunnel_takes_the_transport() -> None:
    connection, transport, pool, answer = sent(upgrade=True)
    connection.data_received(SWITCH + b"frame")
    assert answer.calls == [(101, b"frame")]
    assert not transport.reading, "what follows is the tunnel's"
    assert connection.detach() is transport
    assert pool.released == [False]
    assert not connection.usable
    connection.give_up()
    connection.connection_lost(None)
    assert (transport.state, answer.errors) == ("open", [])


async def test_reading_pauses_and_resumes_once() -> None:
    connection, transport, _, _ = sent()
    connection.pause_reading()
    connection.pause_reading()
    assert not transport.reading
    connection.resume_reading()
    connection.resume_reading()
    assert transport.reading
