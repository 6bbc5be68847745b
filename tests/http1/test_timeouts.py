"""Connections nothing would come of: ended by the sweep, and never by a fault of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic

import pytest

from proxy.http1.server_connection import ServerConnection
from proxy.http1.timeouts import (
    LINGER_SECONDS,
    UNREAD_SECONDS,
    Awaiting,
    ConnectionTimeouts,
)
from proxy.net.limits import Limits
from proxy.observe.record import Observers, Record
from tests.edges import Edge, edge, enforcing_timeouts, request
from tests.http1.test_endings import dialled
from tests.upstreams import OK, Visit, says, upstream

GET = b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"
PATIENCE_SECONDS = 30.0
NOT_IDNA = b"GET http://xn--a/ HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"


async def test_a_host_that_is_no_idna_is_refused_like_any_other() -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        for data, status in ((GET, b" 200 "), (NOT_IDNA, b" 421 ")):
            writer.write(data)
            assert status in await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            await reader.readexactly(2 if status == b" 200 " else 1)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody announces."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def only(labgate: Edge) -> ServerConnection:
    (connection,) = labgate.server.connections
    assert isinstance(connection, ServerConnection)
    return connection


@pytest.mark.parametrize(
    ("awaiting", "seconds"),
    [(Awaiting.HEAD, 20.0), (Awaiting.REQUEST, 75.0), (Awaiting.END, LINGER_SECONDS)],
)
def test_a_wait_ends_after_its_limit(awaiting: Awaiting, seconds: float) -> None:
    limits = Limits(head_seconds=20.0, keep_alive_seconds=75.0)
    timeouts = ConnectionTimeouts()
    assert timeouts.awaiting is Awaiting.HEAD, "of a new connection"
    timeouts.begin(awaiting)
    timeouts.since = 1000.0
    assert not timeouts.expired(1000.0 + seconds, limits)
    assert timeouts.expired(1000.5 + seconds, limits)


def test_a_request_in_progress_has_no_limit_here() -> None:
    timeouts = ConnectionTimeouts()
    timeouts.begin(Awaiting.NOTHING)
    assert not timeouts.expired(timeouts.since + 1e6, Limits())


async def test_a_client_that_reads_nothing_at_all_is_let_go() -> None:
    async def endless(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            await visit.say(b"x" * 65_536)

    async with upstream(endless) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(GET)
        await reader.readexactly(1)
        connection = only(labgate)
        # The kernels take a good deal before labgate has to keep anything.
        async with asyncio.timeout(30):
            await until(lambda: connection.congested)
        now = monotonic()
        assert not connection.is_unresponsive(now)
        assert not connection.is_unresponsive(now + UNREAD_SECONDS - 1)
        assert connection.is_unresponsive(now + UNREAD_SECONDS + 1)


async def test_an_idle_connection_is_not_unresponsive() -> None:
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(GET)
        await reader.readuntil(b"ok")
        now = monotonic()
        assert not only(labgate).is_unresponsive(now)
        assert not only(labgate).is_unresponsive(now + 10 * UNREAD_SECONDS)


async def test_a_log_that_fails_spoils_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    def full(_: Record) -> None:
        raise OSError(28, "No space left on device")

    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.services.observers = Observers(end=(full,))
        reader, writer = await labgate.connect()
        for _ in range(2):
            writer.write(GET)
            answer = await asyncio.wait_for(reader.readuntil(b"ok"), 10)
            assert answer.count(b"HTTP/1.1 ") == 1
    assert "cannot record a request: No space left on device" in caplog.text


async def test_a_fault_behind_an_answer_is_no_second_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """What comes behind an answer would be taken for the next request's: there is a reset."""

    def faulty(_: Record) -> None:
        raise RuntimeError("a fault of ours")

    loop = asyncio.get_running_loop()
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.services.observers = Observers(end=(faulty,))
        # Not by streams: those forget what they have as soon as they hear of the reset.
        with await dialled(labgate, GET) as client:
            answer = b""
            reset = False
            async with asyncio.timeout(PATIENCE_SECONDS):
                try:
                    while piece := await loop.sock_recv(client, 65_536):
                        answer += piece
                except ConnectionResetError:
                    reset = True
    assert reset
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nok")
    assert answer.count(b"HTTP/1.1 ") == 1
    (fault,) = [record for record in caplog.records if "fault" in record.getMessage()]
    assert fault.exc_info is not None
    assert "a fault of ours" in str(fault.exc_info[1])


async def test_what_came_quickly_buys_no_long_silence() -> None:
    async def reads(visit: Visit) -> None:
        await visit.reader.read()

    limits = Limits(content_grace_seconds=0.3)
    put = request(b"/", b"Content-Length: 1000000", method=b"PUT") + b"x" * 200_000
    async with upstream(reads) as jupyter, edge(jupyter.address, limits=limits) as labgate:
        reader, writer = await labgate.connect()
        writer.write(put)
        async with asyncio.timeout(10), enforcing_timeouts(labgate):
            answer = await reader.readuntil(b"\r\n")
    assert answer.startswith(b"HTTP/1.1 408 ")


async def test_a_sweep_meets_a_connection_that_was_lost_meanwhile() -> None:
    async with edge(None) as labgate:
        reader, writer = await labgate.connect()
        writer.write(b"GET /.labgate/health HTTP/1.1\r\nHost: x\r\n\r\nGET")
        await reader.readuntil(b"serving\n")
        (connection,) = labgate.server.connections
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await labgate.server.shutdown(PATIENCE_SECONDS)
        connection.enforce_timeouts(monotonic() + 60)
