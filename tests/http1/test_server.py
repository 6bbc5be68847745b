"""The server of a port: the connections it makes, and what it logs of those it turns away."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

import pytest

from proxy.http1.misdirected_connection import MisdirectedConnection
from proxy.http1.server import Http1Server
from proxy.http1.server_connection import ServerConnection
from proxy.net.limits import ConcurrencyLimit, Limits
from tests.http1.memory_transport import MemoryTransport
from tests.http1.test_accepted_connection import CLIENT, GET, Site, slot


@pytest.mark.parametrize("redirects", [True, False])
@pytest.mark.parametrize("known", [True, False])
async def test_a_request_knows_how_it_came(redirects: bool, known: bool) -> None:
    site = Site()
    server = Http1Server(site, plain_redirects=redirects)
    connection = server.connection(CLIENT, slot(), known)
    connection.connection_made(MemoryTransport())
    connection.data_received(GET)
    (head,) = site.heads
    arrival = head.arrival
    assert (arrival.peer, arrival.plain_redirects, arrival.client_known) == (
        CLIENT,
        redirects,
        known,
    )
    assert arrival.tls_seconds is None


async def test_plain_http_on_a_port_for_https_gets_no_name(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "labgate")
    site = Site()
    connection, transport = Http1Server(site), MemoryTransport()
    misdirected = connection.misdirected_connection(CLIENT, slot(), True)
    assert isinstance(misdirected, MisdirectedConnection)
    misdirected.connection_made(transport)
    misdirected.data_received(GET)
    assert transport.written.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert transport.written.endswith(
        b"\r\n\r\nThis port speaks HTTPS: open the same address with https:// in front.\n"
    )
    assert transport.half_closed
    assert not site.targets
    assert caplog.messages == [f"400 from {CLIENT}: plain-http (plain HTTP on a port for HTTPS)"]
    assert connection.refused_heads.counts == {("plain-http", 400): 1}
    misdirected = connection.misdirected_connection(CLIENT, slot(), True)
    misdirected.connection_made(MemoryTransport())
    misdirected.data_received(GET)
    assert connection.refused_heads.counts == {("plain-http", 400): 2}


@pytest.mark.parametrize(("maximum", "key"), [(1, "connections"), (9, "connections_per_address")])
async def test_whom_a_limit_turns_away_is_logged_now_and_then(
    maximum: int, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    limit = ConcurrencyLimit(maximum, 1)
    server = Http1Server(Site(), connection_limit=limit)
    taken = limit.acquire(CLIENT)
    assert taken is not None
    for _ in range(3):
        server.log_rejection(CLIENT)
    server._rejections._next = 0.0  # as if its time were over
    server.log_rejection(CLIENT)
    line = f"too many connections (limits.{key}): {CLIENT} is turned away"
    assert caplog.messages == [line, f"{line}; 2 more since the last such line"]


async def test_limits_may_change_while_a_client_is_connected() -> None:
    server = Http1Server(Site())
    connection, transport = server.connection(CLIENT, slot(), True), MemoryTransport()
    assert isinstance(connection, ServerConnection)
    connection.connection_made(transport)
    server.change_limits(Limits(head_seconds=1000.0))
    connection.enforce_timeouts(monotonic() + 900)
    assert transport.state == "open"
    connection.enforce_timeouts(monotonic() + 1100)
    assert transport.state == "closing"


async def test_requests_go_to_whom_they_are_dispatched_from_then_on() -> None:
    first, second = Site(), Site()
    server = Http1Server(first)
    connection = server.connection(CLIENT, slot(), True)
    assert isinstance(connection, ServerConnection)
    connection.connection_made(MemoryTransport())
    server.dispatch_to(second)
    connection.data_received(GET)
    assert (first.targets, second.targets) == ([], [b"/"])


async def test_every_connection_is_looked_at() -> None:
    server = Http1Server(Site(), limits=Limits(head_seconds=-1.0))
    transports = []
    for _ in range(3):
        transports.append(transport := MemoryTransport())
        server.connection(CLIENT, slot(), True).connection_made(transport)
    await server.enforce_timeouts()
    assert [transport.state for transport in transports] == ["closing"] * 3


async def test_a_shutdown_does_not_wait_for_what_does_not_close() -> None:
    server = Http1Server(Site())
    connection, transport = server.connection(CLIENT, slot(), True), MemoryTransport()
    connection.connection_made(transport)
    async with asyncio.timeout(10):
        await server.shutdown(0)
    assert transport.state == "aborted"


async def test_a_drain_closes_what_is_idle_and_lets_the_rest_end() -> None:
    site = Site()
    server = Http1Server(site)
    made = []
    for data in (b"", GET):
        connection, transport = server.connection(CLIENT, slot(), True), MemoryTransport()
        connection.connection_made(transport)
        connection.data_received(data)
        made.append(transport)
    idle, busy = made
    server.drain()
    assert (idle.state, busy.state) == ("closing", "open")
    site.answer()
    assert busy.state == "closing"
    assert b"\r\nConnection: close\r\n" in busy.written


async def test_a_drain_may_leave_idle_clients_one_request_more() -> None:
    site = Site()
    server = Http1Server(site)
    connection, transport = server.connection(CLIENT, slot(), True), MemoryTransport()
    connection.connection_made(transport)
    server.drain(keep_idle=True)
    assert transport.state == "open"
    assert isinstance(connection, ServerConnection)
    connection.data_received(GET)
    site.answer()
    assert b"\r\nConnection: close\r\n" in transport.written


async def test_a_drain_keeps_the_word_of_a_head_that_was_sent_before() -> None:
    """It said nothing of an end, so the client may send its next request over the connection."""
    site = Site()
    server = Http1Server(site)
    connection, transport = server.connection(CLIENT, slot(), True), MemoryTransport()
    assert isinstance(connection, ServerConnection)
    connection.connection_made(transport)
    connection.data_received(GET)
    begun = site.responders[-1]
    begun.send_head(200, b"OK", [(b"Content-Length", b"2")], sized=True, dated=True)
    begun.flush()
    server.drain(keep_idle=True)
    begun.send_body(b"ok")
    begun.end()
    assert transport.state == "open"
    connection.data_received(GET)
    site.answer()
    assert b"\r\nConnection: close\r\n" in transport.written
    assert transport.state == "closing"


async def test_a_drain_that_waits_for_nobody_ends_a_response_that_has_begun() -> None:
    site = Site()
    server = Http1Server(site)
    connection, transport = server.connection(CLIENT, slot(), True), MemoryTransport()
    connection.connection_made(transport)
    connection.data_received(GET)
    begun = site.responders[-1]
    begun.send_head(200, b"OK", [(b"Content-Length", b"2")], sized=True, dated=True)
    server.drain()
    begun.send_body(b"ok")
    begun.end()
    assert transport.written.endswith(b"ok")
    assert transport.state == "closing"


async def test_a_connection_that_is_made_during_a_drain_has_one_request() -> None:
    site = Site()
    server = Http1Server(site)
    server.drain()
    connection, transport = server.connection(CLIENT, slot(), True), MemoryTransport()
    assert isinstance(connection, ServerConnection)
    connection.connection_made(transport)
    connection.data_received(GET)
    site.answer()
    assert b"\r\nConnection: close\r\n" in transport.written
