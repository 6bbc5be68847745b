"""A client's connection in memory: what becomes a request, what is read ahead, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

import pytest

from proxy.http1.accepted_connection import MAX_WRITE_BYTES
from proxy.http1.request_body import MAX_BUFFERED_BODY_BYTES
from proxy.http1.server import Http1Server
from proxy.http1.server_connection import MAX_BUFFERED_BYTES, ServerConnection
from proxy.http1.upgraded_connection import UpgradedConnection
from proxy.messages import RequestBody, RequestInProgress, Responder
from proxy.net.limits import ConcurrencyLimit, Slot
from proxy.rules.head import RequestHead
from tests.http1.memory_transport import MemoryTransport
from tests.http1.test_accepted_connection import CLIENT, GET, PUT, Site, connected, slot

SECOND = GET.replace(b"/ ", b"/second ")
CLOSE = GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")
PUT_AND_CLOSE = PUT.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")


async def next_turn() -> None:
    await asyncio.sleep(0)
    await asyncio.sleep(0)


# Requests


async def test_content_behind_a_request_ends_with_its_client() -> None:
    """What can never be complete is not held until a limit passes."""
    site = Site()
    connection, _ = await connected(site)
    connection.data_received(GET + PUT + b"123")
    assert connection.eof_received()
    site.answer()
    await next_turn()
    _, body = site.bodies
    with pytest.raises(ConnectionResetError, match="in the middle"):
        body.take()


async def test_content_arrives_whole_however_it_is_cut() -> None:
    site = Site()
    connection, _ = await connected(site)
    connection.data_received(PUT + b"123")
    (body,) = site.bodies
    assert (body.length, body.arrived(), body.take()) == (9, None, b"123")
    connection.data_received(b"456")
    assert (body.arrived(), body.take()) == (None, b"456")
    connection.data_received(b"789")
    assert body.arrived() == b"789"
    assert site.targets == [b"/"]


async def test_content_that_nobody_takes_is_not_read_on() -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(PUT.replace(b"9", b"999999") + b"x" * (MAX_BUFFERED_BODY_BYTES + 1))
    assert not transport.reading
    (body,) = site.bodies
    assert body.take() is not None
    assert transport.reading


async def test_a_request_without_content_has_an_empty_body() -> None:
    site = Site()
    connection, _ = await connected(site)
    connection.data_received(GET)
    (body,) = site.bodies
    assert (body.length, body.arrived(), body.take()) == (0, b"", b"")


async def test_requests_with_the_same_fields_share_a_section() -> None:
    """Caches know it by its identity (``rules.head.FieldSection``)."""
    site = Site()
    connection, _ = await connected(site)
    for _ in range(2):
        connection.data_received(GET)
        site.answer()
    first, second = site.heads
    assert first.section is second.section
    assert first.arrival is second.arrival


async def test_a_head_has_its_method_and_version_although_its_fields_are_the_same() -> None:
    site = Site()
    connection, transport = await connected(site)
    for method in (b"GET", b"HEAD"):
        connection.data_received(GET.replace(b"GET", method))
        transport.written = b""
        site.answer()
        assert transport.written.endswith(b"\r\n\r\nok\n") is (method == b"GET")
    connection.data_received(GET.replace(b"HTTP/1.1", b"HTTP/1.0"))
    assert [(head.method, head.version) for head in site.heads] == [
        (b"GET", (1, 1)),
        (b"HEAD", (1, 1)),
        (b"GET", (1, 0)),
    ]
    transport.written = b""
    site.answer()
    assert b"\r\nConnection: close\r\n" in transport.written


async def test_the_first_request_of_a_client_that_does_not_read_waits() -> None:
    site = Site()
    connection, _ = await connected(site)
    connection.pause_writing()
    connection.resume_writing()
    await next_turn()
    assert site.targets == [], "there is none"
    connection.pause_writing()
    connection.data_received(GET)
    assert site.targets == []
    connection.resume_writing()
    await next_turn()
    assert site.targets == [b"/"]


async def test_a_request_that_waits_is_dropped_with_its_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    site = Site()
    connection, _ = await connected(site)
    connection.pause_writing()
    connection.data_received(GET)
    connection.resume_writing()
    connection.connection_lost(None)
    await next_turn()
    assert (site.targets, caplog.messages) == ([], [])


async def test_a_refusal_says_why_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "labgate")
    connection, transport = await connected()
    connection.data_received(b"GET /\r\n\r\n" + GET)
    assert transport.written.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert transport.written.endswith(b"\r\n\r\nThis is not a well-formed HTTP/1.1 request line.\n")
    assert transport.written.count(b"HTTP/1.1 400 ") == 1
    assert caplog.messages == [f"400 from {CLIENT}: request-line"]


async def test_the_next_head_has_to_come_whole_too() -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET)
    site.answer()
    connection.data_received(SECOND[:9])
    transport.written = b""
    connection.enforce_timeouts(monotonic() + 21)
    assert transport.written.startswith(b"HTTP/1.1 408 ")
    assert transport.half_closed


# What is read ahead


@pytest.mark.parametrize(("more", "reading"), [(0, True), (1, False)])
async def test_so_much_may_wait_behind_a_request(more: int, reading: bool) -> None:
    connection, transport = await connected()
    connection.data_received(GET + b"x" * (MAX_BUFFERED_BYTES + more))
    assert transport.reading is reading


async def test_what_waited_behind_a_request_is_read_after_its_response() -> None:
    site = Site()
    connection, transport = await connected(site)
    put = b"PUT /second HTTP/1.1\r\nHost: x\r\nContent-Length: 99999\r\n\r\n" + b"x" * 99_999
    connection.data_received(GET + put)
    assert not transport.reading
    site.answer()
    await next_turn()
    assert site.targets == [b"/", b"/second"]
    assert site.bodies[-1].arrived() == b"x" * 99_999
    assert transport.reading


@pytest.mark.parametrize("rest", [b"GET /thi", b"GET /third HTTP/1.1\r\nHo"])
async def test_half_a_request_that_waited_is_awaited(rest: bytes) -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET + rest)
    site.answer()
    await next_turn()
    assert (site.targets, transport.state) == ([b"/"], "open")


# Its ends


async def test_an_idle_client_that_ends_is_done() -> None:
    connection, _ = await connected()
    assert not connection.eof_received()


async def test_a_client_that_half_closes_gets_its_response() -> None:
    """RFC 9112 section 9.6."""
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET)
    assert connection.eof_received() is True
    assert transport.state == "open"
    site.answer()
    assert transport.written.startswith(b"HTTP/1.1 200 ")
    assert transport.state == "closing"


@pytest.mark.parametrize("rest", [b"", SECOND[:9]])
async def test_requests_before_a_half_close_are_answered(rest: bytes) -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET + SECOND + rest)
    site.answer()
    assert connection.eof_received() is True, "idle, but not done"
    await next_turn()
    assert site.targets == [b"/", b"/second"]
    assert transport.state == "open"
    site.answer()
    await next_turn()
    assert transport.state == "closing"


@pytest.mark.parametrize(
    ("how", "words"),
    [("eof", "the client ended in the middle"), ("lost", "the client went away")],
)
async def test_half_a_body_fails(how: str, words: str) -> None:
    site = Site()
    connection, _ = await connected(site)
    connection.data_received(PUT)
    (body,) = site.bodies
    assert body.take() is None
    if how == "eof":
        assert connection.eof_received() is True
    else:
        connection.connection_lost(None)
    with pytest.raises(ConnectionResetError, match=f"^{words}$"):
        body.take()
    assert site.left == (how == "lost")


async def test_a_client_that_leaves_behind_its_response_cancels_nothing() -> None:
    site = Site()
    connection, _ = await connected(site)
    connection.data_received(GET)
    site.answer()
    connection.connection_lost(None)
    assert site.left == 0


async def test_a_request_that_was_answered_at_once_is_not_in_progress() -> None:
    class AtOnce(Site):
        def __call__(
            self, head: RequestHead, body: RequestBody, responder: Responder, /
        ) -> RequestInProgress:
            in_progress = super().__call__(head, body, responder)
            self.answer()
            return in_progress

    site = AtOnce()
    connection, transport = await connected(site)
    connection.data_received(GET)
    assert transport.written.startswith(b"HTTP/1.1 200 ")
    connection.connection_lost(None)
    assert site.left == 0


@pytest.mark.parametrize("how", ["lost", "closing"])
async def test_a_response_to_a_client_that_has_left_goes_nowhere(how: str) -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET)
    if how == "lost":
        connection.connection_lost(None)
        assert connection.eof_received() is False
    else:
        transport.close()
    site.answer()
    assert transport.written == b""


@pytest.mark.parametrize("size", [MAX_WRITE_BYTES, MAX_WRITE_BYTES + 1])
async def test_a_large_end_of_a_response_is_sent_whole(size: int) -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(GET)
    (responder,) = site.responders
    responder.send_head(200, b"OK", [], sized=True, dated=True)
    responder.flush()
    transport.written = b""
    responder.send_body(b"x" * size)
    responder.end()
    assert transport.written == b"x" * size


LAST = [
    pytest.param(CLOSE, "closing", id="nothing"),
    pytest.param(PUT_AND_CLOSE + b"123456789", "closing", id="all its content"),
    pytest.param(PUT_AND_CLOSE + b"1234", "open", id="half its content"),
    pytest.param(CLOSE + b"more", "open", id="more than its request"),
]


@pytest.mark.parametrize(("data", "state"), LAST)
async def test_a_client_that_may_still_send_is_waited_for(data: bytes, state: str) -> None:
    """RFC 9112 section 9.6: what it sends would reset the response away."""
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(data)
    site.answer()
    assert b"\r\nConnection: close\r\n" in transport.written
    assert transport.state == state
    assert transport.half_closed is (state == "open")
    connection.data_received(GET)
    assert site.targets == [b"/"], "it was the last one"


async def test_a_client_that_has_ended_is_not_waited_for() -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(PUT_AND_CLOSE + b"1234")
    connection.eof_received()
    site.answer()
    assert transport.state == "closing"


async def test_a_response_before_the_content_leaves_the_connection_usable() -> None:
    site = Site()
    connection, transport = await connected(site)
    connection.data_received(PUT + b"1234")
    site.answer()
    connection.data_received(b"56")
    connection.data_received(b"789" + SECOND)
    assert site.targets == [b"/", b"/second"]
    site.answer()
    assert transport.state == "open"


@pytest.mark.parametrize(("data", "state"), [(b"", "closing"), (GET, "aborted")])
async def test_an_end_breaks_off_what_is_in_progress(data: bytes, state: str) -> None:
    connection, transport = await connected(Site())
    connection.data_received(data)
    connection.end()
    assert transport.state == state


async def test_a_drain_closes_an_idle_connection() -> None:
    connection, transport = await connected()
    connection.drain()
    assert transport.state == "closing"


# Connections that the event loop accepted, and those over TLS


@pytest.mark.parametrize(
    ("peer", "client"),
    [
        (("::ffff:203.0.113.7", 4711, 0, 0), CLIENT),
        (("2001:db8::1", 1), "2001:db8::1"),
        ("", "local"),
    ],
)
async def test_an_accepted_connection_has_its_clients_address(peer: object, client: str) -> None:
    site = Site()
    server = Http1Server(site, plain_redirects=True)
    connection, transport = server(), MemoryTransport(peername=peer)
    connection.connection_made(transport)
    assert len(server.connection_limit) == 1
    assert set(server.connections) == {connection}
    connection.data_received(GET)
    (head,) = site.heads
    assert (head.arrival.peer, head.arrival.plain_redirects) == (client, True)
    assert (connection.client, head.arrival.tls_seconds) == (client, None)
    connection.connection_lost(None)
    assert len(server.connection_limit) == 0
    assert not server.connections


async def test_a_connection_too_many_is_reset(caplog: pytest.LogCaptureFixture) -> None:
    server = Http1Server(Site(), connection_limit=ConcurrencyLimit(9, 1))
    connections = []
    for _ in range(2):
        connection, transport = server(), MemoryTransport(peername=(CLIENT, 4711))
        assert not caplog.messages
        connection.connection_made(transport)
        connections.append((connection, transport))
    (_, first), (turned_away, second) = connections
    assert (first.state, second.state, second.written) == ("open", "aborted", b"")
    assert caplog.text.count(f"{CLIENT} is turned away") == 1
    turned_away.connection_lost(None)
    assert len(server.connection_limit) == len(server.connections) == 1


@pytest.mark.parametrize("over_tls", [True, False])
async def test_a_handshake_is_timed(over_tls: bool) -> None:
    site = Site()
    connection = Http1Server(site).connection(CLIENT, slot(), False)
    assert isinstance(connection, ServerConnection)
    connection.connection_made(MemoryTransport(sslcontext=object() if over_tls else None))
    connection.data_received(GET)
    (head,) = site.heads
    assert (head.arrival.peer, head.arrival.client_known) == (CLIENT, False)
    assert head.arrival.plain_redirects is False
    seconds = head.arrival.tls_seconds
    assert (seconds is not None) is over_tls
    assert not seconds or 0 <= seconds < 60


def slot_of(limit: ConcurrencyLimit) -> Slot:
    taken = limit.acquire(CLIENT)
    assert taken is not None
    return taken


async def test_a_lost_connection_counts_no_more() -> None:
    limit = ConcurrencyLimit(9, 9)
    server = Http1Server(Site(), connection_limit=limit)
    connection, transport = server.connection(CLIENT, slot_of(limit), True), MemoryTransport()
    connection.connection_made(transport)
    assert set(server.connections) == {connection}
    assert transport.high_water_bytes == 32 * 1024
    connection.connection_lost(None)
    assert len(limit) == 0
    assert not server.connections


async def test_a_tunnel_counts_as_the_connection_it_was() -> None:
    site, limit = Site(), ConcurrencyLimit(9, 9)
    server = Http1Server(site, connection_limit=limit)
    connection, transport = server.connection(CLIENT, slot_of(limit), True), MemoryTransport()
    connection.connection_made(transport)
    assert isinstance(connection, ServerConnection)
    connection.data_received(GET)
    tunnel = site.responders[0].upgrade(b"Switching Protocols", [])
    assert isinstance(tunnel, UpgradedConnection)
    assert (set(server.connections), len(limit)) == ({tunnel}, 1)
    assert tunnel.client == CLIENT
    transport.written = b""
    tunnel.write(b"x" * (MAX_WRITE_BYTES + 1))
    assert transport.written == b"x" * (MAX_WRITE_BYTES + 1)
    tunnel.connection_lost(None)
    assert (set(server.connections), len(limit)) == (set(), 0)
