"""A forwarded request step by step, in memory: who waits for whom, and what is reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from proxy.http1.client_connection import UpstreamConnection
from proxy.net.limits import DEFAULT_LIMITS, new_request_limit, new_web_app_limit
from proxy.observe.record import Record
from proxy.proxying.forwarder import Forwarder
from proxy.proxying.pool import Pool
from proxy.proxying.request_log import RequestLog
from proxy.proxying.result import Result
from proxy.proxying.router import Router
from proxy.proxying.services import Services
from proxy.rules.compression import compressible_folders
from proxy.rules.head import Field
from proxy.rules.site import Site, make_site
from tests.heads import JUPYTER, LAB, LOCAL, SITE
from tests.http1.memory_transport import MemoryTransport
from tests.http1.test_client_connection_in_memory import ANSWER
from tests.http1.test_client_connection_in_memory import Pool as Released
from tests.proxying.memory_front import MemoryFront


class SlowFront(MemoryFront):
    """A client that may read slowly."""

    writable: Callable[[], None] | None = None
    framing: Field = (b"Connection", b"close")
    whole: bytes | None = None
    dated: bool | None = None
    on_its_way: bytes | None = None

    def arrived(self) -> bytes | None:
        return super().arrived() if self.whole is None else self.whole

    def send_head(
        self, status: int, reason: bytes, fields: list[Field], **how: bool
    ) -> list[Field]:
        super().send_head(status, reason, fields)
        self.dated = how["dated"]
        return [self.framing]

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self.writable = callback

    def flush(self) -> None:
        self.on_its_way = self.content


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


class Forwarding:
    """A request that was sent over a connection in memory."""

    def __init__(
        self,
        method: bytes = b"GET",
        length: int | None = 0,
        *,
        arrived: bytes | None = None,
        reused: bool = False,
        target: bytes = b"/x",
        site: Site = SITE,
        extra: tuple[Field, ...] = (),
        trace: Record | None = None,
        fields: tuple[Field, ...] = (),
    ) -> None:
        self.client = SlowFront(*fields, method=method, target=target, length=length)
        self.client.whole = arrived
        self.transport = MemoryTransport()
        released = Released()
        released.connection = self.connection = UpstreamConnection(released)
        self.connection.connection_made(self.transport)
        self.connection.reused = reused
        self.results: list[Result] = []
        limit = new_request_limit(DEFAULT_LIMITS)
        router = Router(site, Pool(None), Pool(None), limit, new_web_app_limit())
        self.forwarder = Forwarder(
            self.client.head,
            self.client,
            self.client,
            router.jupyter,
            Services(router, RequestLog()),
            b"0af7",
            report=self.results.append,
            upgrade=False,
            extra=extra,
            trace=trace,
        )
        self.forwarder.send(self.connection)

    @property
    def uploaded(self) -> bytes:
        return self.transport.written.partition(b"\r\n\r\n")[2]


REPEATED = [
    (b"GET", 0, None, True, True),
    (b"DELETE", 0, None, True, True),
    (b"GET", 0, None, False, False),
    (b"POST", 0, None, True, False),
    (b"PATCH", 0, None, True, False),
    (b"PUT", 9, None, True, False),
    (b"POST", 9, None, True, False),
    (b"PUT", 9, b"123456789", True, False),
    (b"PUT", None, b"", True, True),
    (b"POST", None, b"", True, False),
]


@pytest.mark.parametrize(("method", "length", "arrived", "reused", "retry"), REPEATED)
async def test_what_is_sent_once_more(
    method: bytes, length: int | None, arrived: bytes | None, reused: bool, retry: bool
) -> None:
    """RFC 9112 section 9.3.1: on a connection used before, idempotent, and without content."""
    forwarding = Forwarding(method, length, arrived=arrived, reused=reused)
    forwarding.connection.connection_lost(None)
    (result,) = forwarding.results
    assert result.retry is retry
    assert result.error is not None


async def test_a_response_that_began_is_not_asked_for_again() -> None:
    forwarding = Forwarding(reused=True)
    forwarding.connection.data_received(ANSWER[:-1])
    forwarding.connection.connection_lost(None)
    (result,) = forwarding.results
    assert (result.status, result.bytes_down, result.retry) == (200, 1, False)


ARRIVED = [
    pytest.param(9, b"123456789", b"123456789", id="its length is known"),
    pytest.param(1, b"1", b"1", id="it is one octet"),
    pytest.param(None, b"123", b"3\r\n123\r\n0\r\n\r\n", id="its length is not known"),
    pytest.param(None, b"", b"0\r\n\r\n", id="it is empty"),
]


@pytest.mark.parametrize(("length", "content", "sent"), ARRIVED)
async def test_content_that_came_with_its_head_goes_with_it(
    length: int | None, content: bytes, sent: bytes
) -> None:
    forwarding = Forwarding(b"PUT", length, arrived=content)
    assert forwarding.uploaded == sent
    assert forwarding.client.more is None, "no more of it will come"
    assert forwarding.forwarder.request_ended_at > 0.0
    forwarding.connection.data_received(ANSWER)
    (result,) = forwarding.results
    assert (result.bytes_up, result.error) == (len(content), None)
    assert forwarding.forwarder.request_ended_at == 0.0, "its connection is another's now"
    assert forwarding.transport.state == "open"


@pytest.mark.parametrize("length", [1, 9, None])
async def test_content_that_comes_after_a_failure_goes_nowhere(length: int | None) -> None:
    forwarding = Forwarding(b"PUT", length)
    forwarding.connection.connection_lost(None)
    assert forwarding.client.more is None
    forwarding.client.upload(b"1")
    forwarding.forwarder._upload()
    assert len(forwarding.results) == 1
    assert forwarding.uploaded == b""


@pytest.mark.parametrize("content", [b"", b"1"])
async def test_a_response_to_head_has_a_length_and_no_content(content: bytes) -> None:
    forwarding = Forwarding(b"HEAD", len(content), arrived=content or None)
    forwarding.connection.data_received(ANSWER[:-2])
    assert forwarding.client.ended.result() == "complete"
    assert forwarding.transport.state == "open"


async def test_an_upload_waits_for_the_upstream() -> None:
    forwarding = Forwarding(b"PUT", 9)
    forwarding.connection.pause_writing()
    forwarding.client.upload(b"123", b"456")
    assert forwarding.uploaded == b""
    forwarding.connection.when_writable(forwarding.forwarder._upload)
    forwarding.connection.resume_writing()
    assert forwarding.uploaded == b"123456"
    forwarding.client.upload(b"789", b"")
    forwarding.connection.data_received(ANSWER)
    (result,) = forwarding.results
    assert (result.bytes_up, result.bytes_down, result.error) == (9, 2, None)
    assert forwarding.transport.state == "open", "all of it was sent: it is used again"


async def test_an_upload_goes_on_by_itself_when_the_upstream_reads_again() -> None:
    forwarding = Forwarding(b"PUT", 9)

    class Full(MemoryTransport):
        def write(self, data: bytes | bytearray | memoryview) -> None:
            super().write(data)
            forwarding.connection.pause_writing()

    full = Full()
    forwarding.connection.connection_made(full)
    forwarding.client.upload(b"123", b"456")
    assert full.written == b"123"
    forwarding.connection.resume_writing()
    assert full.written == b"123456"


async def test_a_client_that_reads_slowly_stops_the_upstream() -> None:
    forwarding = Forwarding()
    forwarding.client.congested = True
    forwarding.connection.data_received(ANSWER[:-1])
    reading = [forwarding.transport.reading]
    assert forwarding.client.writable is not None
    forwarding.client.writable()
    reading.append(forwarding.transport.reading)
    forwarding.client.congested = False
    forwarding.connection.data_received(ANSWER[-1:])
    assert reading == [False, True]
    assert forwarding.client.ended.result() == "complete"


@pytest.mark.parametrize("date", [b"", b"Date: Mon, 23 Nov 2026 12:00:00 GMT\r\n"])
async def test_a_response_comes_in_pieces_and_has_one_date(date: bytes) -> None:
    forwarding = Forwarding()
    for piece in (ANSWER[:-2].replace(b"\r\n", b"\r\n" + date, 1), b"o", b"k"):
        forwarding.connection.data_received(piece)
    assert forwarding.client.dated is bool(date)
    assert (forwarding.client.content, forwarding.results[0].bytes_down) == (b"ok", 2)


async def test_a_client_that_leaves_is_told_of_nothing_more() -> None:
    forwarding = Forwarding(b"PUT", 9)
    forwarding.client.upload(b"1234")
    forwarding.connection.data_received(ANSWER[:-1])
    result = forwarding.forwarder.abandon()
    assert (result.status, result.bytes_up, result.bytes_down) == (200, 4, 1)
    assert forwarding.client.more is None
    forwarding.forwarder._upload()
    forwarding.connection.connection_lost(ConnectionResetError())
    forwarding.forwarder.on_end()
    assert forwarding.results == []


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        (None, ""),
        (ValueError("broken"), "could not be compressed: broken"),
        (MemoryError(), "could not be compressed: MemoryError"),
    ],
)
async def test_a_compression_that_fails_is_no_complete_response(
    fault: Exception | None, outcome: str
) -> None:
    forwarding = Forwarding()
    forwarding.forwarder._on_compressed(fault)
    (result,) = forwarding.results
    assert str(result.error or "") == outcome
    forwarding.forwarder._on_compressed(None)
    assert forwarding.results == [result], "it is reported once"


async def test_what_labgate_changes_in_a_response_is_noted_with_its_rule() -> None:
    record = Record(MemoryFront(target=b"/as/received").head, request_id=b"0af7")
    forwarding = Forwarding(extra=((b"Set-Cookie", b"a=b"),), trace=record)
    forwarding.connection.data_received(ANSWER.replace(b"\r\n", b"\r\nKeep-Alive: x\r\n", 1))
    noted = [
        (change.rule, change.name, change.before, change.after) for change in record.changes_down
    ]
    assert noted == [
        ("hop-by-hop", b"Keep-Alive", b"x", None),
        ("basic-auth", b"Set-Cookie", None, b"a=b"),
        ("framing", b"Connection", None, b"close"),
    ]
    up = record.upstream_request
    assert up is not None
    assert (up.method, up.target, up.version) == (b"GET", b"/x", (1, 1))
    assert up.arrival is record.head.arrival
    first, *lines = forwarding.transport.written.split(b"\r\n")
    assert first == b"GET /x HTTP/1.1"
    assert [*map(b": ".join, up.fields), b"", b""] == lines
    assert record.upstream_response is not None
    assert record.upstream_response.status == 200
    assert 0 < record.sent_up_at <= record.answered_at


@pytest.mark.parametrize("name", [b"Location", b"location"])
async def test_a_redirect_of_jupyters_names_the_host_that_was_asked(name: bytes) -> None:
    site = make_site((LOCAL, LAB), JUPYTER)
    forwarding = Forwarding(site=site)
    forwarding.connection.data_received(
        b"HTTP/1.1 302 Found\r\n%b: http://127.0.0.1:8888/lab\r\nContent-Length: 0\r\n\r\n" % name
    )
    assert (name, b"https://lab.example.org/lab") in forwarding.client.fields


class Faulty(SlowFront):
    """A client whose responder has a fault."""

    def send_body(self, data: bytes) -> None:
        super().send_body(data)
        raise LookupError("a fault of ours")


FAILED = [
    pytest.param(SlowFront, CHUNKED + b"2\r\nok\r\nnonsense\r\n", b"ok", False, id="Jupyter's"),
    pytest.param(SlowFront, b"nonsense\r\n\r\n", None, False, id="before the response"),
    pytest.param(Faulty, CHUNKED + b"2\r\nok\r\n", None, True, id="labgate's"),
]


@pytest.mark.parametrize(("client", "said", "flushed", "traced_back"), FAILED)
async def test_what_had_come_when_jupyter_failed_is_sent(
    client: type[SlowFront], said: bytes, flushed: bytes | None, traced_back: bool
) -> None:
    """After a fault of labgate's nothing is; the log gets its traceback, which is kept for it."""
    forwarding = Forwarding()
    forwarding.forwarder.responder = front = client()
    forwarding.connection.data_received(said)
    (result,) = forwarding.results
    assert result.error is not None
    assert (front.on_its_way, result.error.__traceback__ is not None) == (flushed, traced_back)


async def test_the_error_of_a_client_that_left_refers_to_no_frames() -> None:
    """They refer to the body, and the body to the error: a cycle of garbage."""
    left = ConnectionResetError("the client ended in the middle")

    class Leaving(SlowFront):
        def take(self) -> bytes | None:
            raise left

    forwarding = Forwarding(b"PUT", 9)
    forwarding.forwarder.body = Leaving(method=b"PUT", length=9)
    forwarding.forwarder._upload()
    (result,) = forwarding.results
    assert result.error is left
    assert left.__traceback__ is None


async def test_a_fault_after_the_end_of_a_request_is_the_event_loops_to_log() -> None:
    def faulty(_: Result) -> None:
        raise LookupError("a fault of ours")

    forwarding = Forwarding()
    forwarding.forwarder.report = faulty
    with pytest.raises(LookupError):
        forwarding.connection.data_received(ANSWER)


async def test_a_client_that_leaves_twice_has_left_once() -> None:
    """Its connection may tell of it while a compressed response is given up."""
    site = replace(SITE, compressible=compressible_folders("/"))
    accepts = (b"Accept-Encoding", b"gzip")
    forwarding = Forwarding(target=b"/static/lab.css", site=site, fields=(accepts,))
    forwarding.connection.data_received(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nContent-Length: 9000\r\n\r\n"
    )
    assert (b"Content-Encoding", b"gzip") in forwarding.client.fields
    for _ in range(2):
        assert forwarding.forwarder.abandon().status == 200


async def test_what_may_be_compressed_is_noted_beside_other_changes() -> None:
    record = Record(MemoryFront().head)
    site = replace(SITE, compressible=compressible_folders("/"))
    forwarding = Forwarding(target=b"/static/lab.css", site=site, trace=record)
    forwarding.connection.data_received(
        b"HTTP/1.1 200 OK\r\nKeep-Alive: x\r\nContent-Type: text/css\r\n"
        b"Content-Length: 9000\r\n\r\n"
    )
    forwarding.forwarder.abandon()
    assert [(change.rule, change.name) for change in record.changes_down] == [
        ("hop-by-hop", b"Keep-Alive"),
        ("compression", b"Vary"),
        ("framing", b"Connection"),
    ]
