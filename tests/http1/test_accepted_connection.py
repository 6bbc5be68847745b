"""A client's connection over time, in memory: which waits end it, and what the client is sent."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

import pytest

from proxy.http1.accepted_connection import MAX_WRITE_BYTES, SLICED_BYTES
from proxy.http1.server import Http1Server
from proxy.http1.server_connection import ServerConnection
from proxy.http1.timeouts import LINGER_SECONDS, UNREAD_SECONDS
from proxy.http1.upgraded_connection import UpgradedConnection
from proxy.messages import RequestBody, RequestInProgress, Responder, send_response
from proxy.net.limits import ConcurrencyLimit, Limits, Slot
from proxy.rules.head import RequestHead
from proxy.short_response import plain
from tests.http1.memory_transport import MemoryTransport

CLIENT = "203.0.113.7"
GET = b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"
PUT = b"PUT / HTTP/1.1\r\nHost: lab.example.org\r\nContent-Length: 9\r\n\r\n"
LIMITS = Limits(head_seconds=20.0, keep_alive_seconds=75.0)


class Site:
    """Takes requests, and answers them when it is told to."""

    def __init__(self) -> None:
        self.targets: list[bytes] = []
        self.heads: list[RequestHead] = []
        self.bodies: list[RequestBody] = []
        self.responders: list[Responder] = []
        self.left = 0

    def __call__(
        self, head: RequestHead, body: RequestBody, responder: Responder, /
    ) -> RequestInProgress:
        self.targets.append(head.target)
        self.heads.append(head)
        self.bodies.append(body)
        self.responders.append(responder)
        return self

    def cancel(self) -> None:
        self.left += 1

    def answer(self) -> None:
        send_response(self.responders[-1], plain(200, "ok"))


def slot() -> Slot:
    taken = ConcurrencyLimit(9, 9).acquire(CLIENT)
    assert taken is not None
    return taken


async def connected(site: Site | None = None) -> tuple[ServerConnection, MemoryTransport]:
    server = Http1Server(site or Site(), limits=LIMITS)
    connection, transport = server.connection(CLIENT, slot(), True), MemoryTransport()
    assert isinstance(connection, ServerConnection)
    connection.connection_made(transport)
    return connection, transport


async def test_a_head_that_does_not_come_whole_is_answered_408(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "labgate")
    connection, transport = await connected()
    connection.data_received(b"GET / HTTP/1.1\r\nHo")
    now = monotonic()
    connection.enforce_timeouts(now + 19)
    assert (transport.written, transport.state) == (b"", "open")
    connection.enforce_timeouts(now + 21)
    assert transport.written.startswith(b"HTTP/1.1 408 ")
    assert transport.written.endswith(b"\r\n\r\nThe request took too long.\n")
    assert transport.half_closed, "its client may still read"
    assert caplog.messages == [f"408 from {CLIENT}: late-head"]
    connection.enforce_timeouts(monotonic() + LINGER_SECONDS + 1)
    assert transport.state == "closing"


async def test_a_connection_that_was_opened_in_advance_is_no_late_request(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "labgate")
    connection, transport = await connected()
    connection.enforce_timeouts(monotonic() + 21)
    assert (transport.written, transport.state, caplog.messages) == (b"", "closing", [])


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET)
    connection.enforce_timeouts(monotonic() + 1000)
    assert transport.state == "open", "a request is in progress"
    site.answer()
    written = transport.written
    connection.enforce_timeouts(monotonic() + 74)
    assert transport.state == "open"
    connection.enforce_timeouts(monotonic() + 76)
    assert (transport.written, transport.state) == (written, "closing")


async def test_a_refused_client_may_read_for_a_moment() -> None:
    connection, transport = await connected()
    connection.data_received(b"GET /\r\n\r\n")
    assert transport.written.startswith(b"HTTP/1.1 400 ")
    assert transport.half_closed
    connection.enforce_timeouts(monotonic() + LINGER_SECONDS - 1)
    assert transport.state == "open"
    connection.enforce_timeouts(monotonic() + LINGER_SECONDS + 1)
    assert transport.state == "closing"


async def test_content_that_comes_too_slowly_fails() -> None:
    site = Site()
    connection, _ = await connected(site)
    connection.data_received(PUT + b"1")
    (body,) = site.bodies
    assert (body.take(), body.take()) == (b"1", None)
    connection.enforce_timeouts(monotonic() + LIMITS.content_grace_seconds - 5)
    assert body.take() is None
    connection.enforce_timeouts(monotonic() + LIMITS.content_grace_seconds + 5)
    with pytest.raises(Exception, match=r"^The request's content came too slowly\.$"):
        body.take()


async def test_who_expects_100_need_not_send_before_it() -> None:
    """Once the client was sent anything, its content has to come."""
    for interim in (False, True):
        site = Site()
        connection, _ = await connected(site)
        connection.data_received(PUT.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        (body,), (responder,) = site.bodies, site.responders
        assert body.take() is None
        if interim:
            responder.send_interim(100, b"Continue", [])
        # Time passes in steps, as the sweep sees it.
        for seconds in range(0, 44, 4):
            if interim and seconds > LIMITS.content_grace_seconds:
                break
            connection.enforce_timeouts(monotonic() + seconds)
        if interim:
            connection.enforce_timeouts(monotonic() + LIMITS.content_grace_seconds + 1)
            with pytest.raises(Exception, match="too slowly"):
                body.take()
        else:
            assert body.take() is None


async def test_a_client_that_takes_nothing_is_let_go() -> None:
    connection, transport = await connected(Site())
    connection.data_received(GET)
    transport.unread = 1
    now = monotonic()
    connection.enforce_timeouts(now)
    connection.enforce_timeouts(now + 2 * UNREAD_SECONDS)
    assert transport.state == "open", "it is not congested: nobody asks for the octet"
    connection.pause_writing()
    now += 3 * UNREAD_SECONDS
    for at, unread, state in (
        (0, 1, "open"),
        (UNREAD_SECONDS - 1, 1, "open"),
        (UNREAD_SECONDS, 2, "open"),
        (2 * UNREAD_SECONDS - 1, 2, "open"),
        (2 * UNREAD_SECONDS + 1, 2, "aborted"),
    ):
        transport.unread = unread
        connection.enforce_timeouts(now + at)
        assert transport.state == state, at


async def test_a_client_that_has_read_everything_is_never_let_go() -> None:
    connection, transport = await connected(Site())
    connection.data_received(GET)
    connection.pause_writing()
    now = monotonic()
    for times in (0, 1, 2, 3):
        connection.enforce_timeouts(now + times * UNREAD_SECONDS)
    assert transport.state == "open"


async def test_a_connection_that_is_lost_is_not_looked_at() -> None:
    connection, transport = await connected()
    connection.connection_lost(None)
    assert not connection.is_unresponsive(monotonic() + 2 * UNREAD_SECONDS)
    connection.pause_reading()
    connection.resume_reading()
    connection.write(b"x")
    connection.finish()
    connection.abort()
    assert not connection.write_eof()
    assert (transport.written, transport.state, transport.reading) == (b"", "open", True)


async def test_a_pipelined_request_waits_until_the_client_reads() -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET)
    connection.pause_writing()
    site.answer()
    connection.data_received(GET.replace(b"/ ", b"/second "))
    assert site.targets == [b"/"]
    connection.resume_writing()
    assert not connection.congested
    assert site.targets == [b"/"], "not at once: the transport calls"
    await _next_turn()
    assert site.targets == [b"/", b"/second"]
    assert transport.state == "open"


@pytest.mark.parametrize("how", ["lost", "closing"])
async def test_a_pipelined_request_of_a_client_that_leaves_is_dropped(
    how: str, caplog: pytest.LogCaptureFixture
) -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET + GET.replace(b"/ ", b"/second "))
    site.answer()
    if how == "lost":
        connection.connection_lost(None)
    else:
        transport.close()
    await _next_turn()
    assert (site.targets, caplog.messages) == ([b"/"], [])


async def test_whoever_writes_is_called_when_the_client_reads_again() -> None:
    site = Site()
    connection, _ = await connected(site)
    connection.data_received(GET)
    (responder,) = site.responders
    congested: list[bool] = []
    connection.pause_writing()
    responder.when_writable(lambda: congested.append(responder.congested))
    assert responder.congested
    connection.resume_writing()
    assert congested == [False]
    site.answer()
    connection.resume_writing()
    assert congested == [False], "nobody writes any more"


class Slices(MemoryTransport):
    """Keeps the sizes of what it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sizes.append(len(data))


@pytest.mark.parametrize(("less", "sliced"), [(0, False), (1, True)])
async def test_so_much_is_written_in_slices(less: int, sliced: bool) -> None:
    connection, _ = await connected()
    connection.transport = transport = Slices()
    connection.write(bytes(SLICED_BYTES - less))
    assert max(transport.sizes) == MAX_WRITE_BYTES
    assert sum(transport.sizes) == SLICED_BYTES - less
    transport.sizes.clear()
    connection.write(bytes(MAX_WRITE_BYTES + 1))
    assert transport.sizes == ([MAX_WRITE_BYTES, 1] if sliced else [MAX_WRITE_BYTES + 1])


class CannotHalfClose(MemoryTransport):
    """As over TLS."""

    def can_write_eof(self) -> bool:
        return False


class Gone(MemoryTransport):
    """Its client is gone already."""

    def write_eof(self) -> None:
        raise OSError(107, "Transport endpoint is not connected")


@pytest.mark.parametrize(
    ("kind", "sent"), [(MemoryTransport, True), (CannotHalfClose, False), (Gone, True)]
)
async def test_a_fin_is_sent_where_that_is_possible(
    kind: type[MemoryTransport], sent: bool
) -> None:
    connection, _ = await connected()
    connection.transport = transport = kind()
    assert connection.write_eof() is sent
    assert transport.half_closed is (kind is MemoryTransport)
    assert transport.state == "open"


async def test_a_connection_has_a_transport_while_it_lasts() -> None:
    connection = Http1Server(Site()).connection(CLIENT, slot(), True)
    assert isinstance(connection, ServerConnection)
    transports: list[object] = [connection.transport]
    connection.connection_made(transport := MemoryTransport())
    transports.append(connection.transport)
    connection.connection_lost(None)
    assert [*transports, connection.transport] == [None, transport, None]


async def test_reading_pauses_and_resumes_once() -> None:
    connection, transport = await connected()
    for pause in (connection.pause_reading, connection.pause_reading):
        pause()
        assert not transport.reading
    for resume in (connection.resume_reading, connection.resume_reading):
        resume()
        assert transport.reading


# After a 101


class Tunnel:
    """A ``TunnelEnd`` that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[object] = []

    def feed_data(self, data: bytes) -> None:
        self.calls.append(data)

    def feed_eof(self) -> None:
        self.calls.append("eof")

    def client_lost(self, exc: Exception | None) -> None:
        self.calls.append(exc)

    def client_congested(self, congested: bool) -> None:
        self.calls.append(congested)


async def upgraded(
    *behind: bytes, congested: bool = False, ended: bool = False
) -> tuple[UpgradedConnection, MemoryTransport]:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET)
    for data in behind:
        connection.data_received(data)
    if ended:
        connection.eof_received()
    if congested:
        connection.pause_writing()
    tunnel = site.responders[0].upgrade(b"Switching Protocols", [])
    assert isinstance(tunnel, UpgradedConnection)
    assert transport.protocol is tunnel
    return tunnel, transport


async def test_the_previous_object_still_ends_the_connection() -> None:
    """Over TLS the event loop chooses whom to call before the 101."""
    site = Site()
    previous, transport = await connected(site)
    previous.data_received(GET)
    connection, tunnel = site.responders[0].upgrade(b"Switching Protocols", []), Tunnel()
    connection.start(tunnel)
    previous.abort()
    assert transport.state == "aborted"
    lost = ConnectionResetError()
    previous.connection_lost(lost)
    assert tunnel.calls == [lost]


async def test_what_came_before_the_tunnel_reaches_it_in_order() -> None:
    connection, _ = await upgraded(b"one ", b"two ")
    connection.data_received(b"three ")
    connection.data_received(b"four ")
    tunnel = Tunnel()
    connection.start(tunnel)
    connection.data_received(b"five")
    assert tunnel.calls == [b"one two three four ", b"five"]


async def test_a_tunnel_learns_of_congestion_and_of_a_half_close_before_it() -> None:
    connection, _ = await upgraded(congested=True, ended=True)
    assert connection.congested
    tunnel = Tunnel()
    connection.start(tunnel)
    assert tunnel.calls == [True, "eof"]


async def test_a_tunnel_learns_of_congestion_and_of_a_half_close() -> None:
    connection, _ = await upgraded()
    tunnel = Tunnel()
    connection.start(tunnel)
    connection.pause_writing()
    seen = [connection.congested]
    connection.resume_writing()
    assert [*seen, connection.congested] == [True, False]
    assert connection.eof_received() is True
    lost = ConnectionResetError()
    connection.connection_lost(lost)
    connection.connection_lost(None)
    assert tunnel.calls == [True, False, "eof", lost]
    assert connection.eof_received() is False, "it is lost"


async def test_a_half_close_between_the_101_and_the_tunnel_is_passed_on() -> None:
    connection, _ = await upgraded()
    connection.eof_received()
    tunnel = Tunnel()
    connection.start(tunnel)
    assert tunnel.calls == ["eof"]


async def test_a_pause_from_before_the_101_ends_with_the_tunnel() -> None:
    connection, transport = await upgraded(b"x" * 70_000)
    assert not transport.reading
    connection.start(Tunnel())
    assert transport.reading


async def test_an_upgraded_client_that_takes_nothing_is_let_go() -> None:
    connection, transport = await upgraded()
    connection.start(Tunnel())
    connection.pause_writing()
    transport.unread = 1
    now = monotonic()
    connection.enforce_timeouts(now)
    connection.enforce_timeouts(now + UNREAD_SECONDS)
    assert transport.state == "open"
    connection.enforce_timeouts(now + UNREAD_SECONDS + 1)
    assert transport.state == "aborted"


async def _next_turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)
