"""How responses are framed, and what may follow them, as tables; no connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from proxy.http1.response_writer import ResponseWriter
from proxy.messages import RawConnection
from proxy.rules.message import ConnectionFacts
from proxy.short_response import plain


class Recording:
    """A connection that keeps what it was given (``response_writer.Connection``)."""

    client = "203.0.113.7"
    congested = False
    body_outstanding = False
    writable: Callable[[], None] | None = None

    def __init__(self) -> None:
        self.written = b""
        self.persistent: bool | None = None
        self.calls: list[str] = []

    def write(self, data: bytes) -> None:
        self.written += data

    def end_response(self, data: bytes, *, persistent: bool) -> None:
        self.written += data
        self.persistent = persistent

    def linger(self) -> None:
        self.calls.append("linger")

    def abort(self) -> None:
        self.calls.append("abort")

    def upgraded(self) -> RawConnection:
        self.calls.append("upgraded")
        return cast(RawConnection, self)


def writer_of(
    *, http_1_1: bool = True, head: bool = False, persistent: bool = True, unsent: bool = False
) -> tuple[ResponseWriter, Recording]:
    connection = Recording()
    writer = ResponseWriter(connection)
    writer.facts = ConnectionFacts(persistent, unsent, False, http_1_1, head)
    return writer, connection


CHUNKED = b"Transfer-Encoding: chunked\r\n"
CLOSE, KEEP = b"Connection: close\r\n", b"Connection: keep-alive\r\n"
FRAMED = [
    pytest.param({}, 200, False, CHUNKED, b"2\r\nab\r\n0\r\n\r\n", True, id="unknown length"),
    pytest.param({}, 200, True, b"", b"ab", True, id="known length"),
    pytest.param({"http_1_1": False}, 200, False, CLOSE, b"ab", False, id="1.0, until the end"),
    pytest.param({"http_1_1": False}, 200, True, KEEP, b"ab", True, id="1.0, known length"),
    pytest.param({"head": True}, 200, False, b"", b"", True, id="HEAD"),
    pytest.param({}, 204, False, b"", b"", True, id="204"),
    pytest.param({}, 304, False, b"", b"", True, id="304"),
    pytest.param({"persistent": False}, 200, True, CLOSE, b"ab", False, id="the last one"),
]


@pytest.mark.parametrize(("facts", "status", "sized", "fields", "content", "persistent"), FRAMED)
def test_framing(
    facts: dict[str, bool],
    status: int,
    sized: bool,
    fields: bytes,
    content: bytes,
    persistent: bool,
) -> None:
    writer, connection = writer_of(**facts)
    added = writer.send_head(status, b"R", [(b"A", b"b")], sized=sized, dated=True)
    if status == 200:
        writer.send_body(b"ab")
    writer.end()
    head = b"HTTP/1.1 %d R\r\nA: b\r\n" % status
    assert connection.written == head + fields + b"\r\n" + content
    assert connection.persistent is persistent
    assert b"".join(b"%b: %b\r\n" % field for field in added) == fields


@pytest.mark.parametrize("outstanding", [False, True])
def test_content_that_may_never_come_ends_the_connection(outstanding: bool) -> None:
    """RFC 9110 section 10.1.1: the next request would be taken for it."""
    writer, connection = writer_of(unsent=True)
    connection.body_outstanding = outstanding
    writer.send_head(417, b"R", [], sized=True, dated=True)
    writer.end()
    assert connection.persistent is (not outstanding)
    assert (b"Connection: close" in connection.written) is outstanding


def test_a_response_may_be_the_last_one_by_itself() -> None:
    writer, connection = writer_of()
    writer.send_head(200, b"OK", [], sized=True, dated=True, close=True)
    writer.end()
    assert connection.written == b"HTTP/1.1 200 OK\r\n" + CLOSE + b"\r\n"
    assert connection.persistent is False


def test_chunks_have_their_size_in_hexadecimal() -> None:
    writer, connection = writer_of()
    writer.send_head(200, b"OK", [], sized=False, dated=True)
    writer.flush()
    connection.written = b""
    for size in (26, 1):
        writer.send_body(b"x" * size)
    writer.flush()
    assert connection.written == b"1a\r\n" + b"x" * 26 + b"\r\n1\r\nx\r\n"
    writer.end()
    # Another response may follow, and has a framing of its own.
    writer.send_head(204, b"No Content", [], sized=False, dated=True)
    connection.written = b""
    writer.end()
    assert connection.written == b"HTTP/1.1 204 No Content\r\n\r\n"


def test_an_empty_piece_of_content_does_not_end_it() -> None:
    writer, connection = writer_of()
    writer.send_head(200, b"OK", [], sized=False, dated=True)
    for piece in (b"", b"ab", b""):
        writer.send_body(piece)
    writer.end()
    assert connection.written.endswith(b"\r\n\r\n2\r\nab\r\n0\r\n\r\n")


def test_a_missing_date_is_added() -> None:
    writer, connection = writer_of()
    writer.send_head(200, b"OK", [], sized=True, dated=False)
    writer.end()
    assert b"\r\nDate: " in connection.written


def test_what_comes_together_leaves_in_one_write() -> None:
    writer, connection = writer_of()
    writer.send_head(200, b"OK", [], sized=True, dated=True)
    writer.send_body(b"ab")
    assert not connection.written
    writer.flush()
    assert connection.written.endswith(b"\r\n\r\nab")


def test_interim_responses_are_not_for_http_1_0() -> None:
    for http_1_1 in (True, False):
        writer, connection = writer_of(http_1_1=http_1_1)
        writer.send_interim(103, b"Early Hints", [(b"Link", b"<a>")])
        sent = b"HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\n" if http_1_1 else b""
        assert connection.written == sent
        assert writer.sent is http_1_1


def test_a_fault_is_answered_unless_something_was_sent(caplog: pytest.LogCaptureFixture) -> None:
    writer, connection = writer_of()
    writer.when_writable(lambda: None)
    writer.send_head(200, b"OK", [], sized=True, dated=True)
    fault = ValueError("x")
    assert writer.fail(fault, plain(500, "Sorry.", close=True)) == 500
    assert connection.written.startswith(b"HTTP/1.1 500 ")
    assert connection.written.endswith(b"\r\n\r\nSorry.\n")
    assert (connection.calls, connection.writable) == (["linger"], None)
    written = connection.written
    assert writer.fail(fault, plain(500, "Sorry.", close=True)) == 0
    assert connection.calls == ["linger", "abort"]
    assert (connection.written, connection.persistent) == (written, False)
    assert caplog.messages == ["fault while answering 203.0.113.7"] * 2
    assert [record.exc_info and record.exc_info[1] for record in caplog.records] == [fault] * 2


def test_a_fault_behind_a_whole_response_breaks_the_connection() -> None:
    writer, connection = writer_of()
    writer.send_head(200, b"OK", [], sized=True, dated=True)
    writer.end()
    writer.fail(ValueError("x"), plain(500, "Sorry.", close=True))
    assert connection.calls == ["abort"]
    assert connection.written.count(b"HTTP/1.1 ") == 1


def test_a_close_sends_nothing_and_ends_the_connection() -> None:
    writer, connection = writer_of()
    writer.when_writable(lambda: None)
    writer.send_head(200, b"OK", [], sized=True, dated=True)
    writer.close()
    assert (connection.written, connection.persistent, connection.writable) == (b"", False, None)


def test_an_upgrade_is_sent_at_once_and_calls_nobody_back() -> None:
    writer, connection = writer_of()
    callback = lambda: None  # noqa: E731
    writer.when_writable(callback)
    waiting = [connection.writable]
    upgraded: object = writer.upgrade(b"Switching Protocols", [(b"Upgrade", b"websocket")])
    assert upgraded is connection
    assert connection.written == b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"
    assert connection.calls == ["upgraded"]
    assert [*waiting, connection.writable] == [callback, None]
