"""Limits: what is too much gets the right status, and what is slow times out."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network
from time import monotonic

import pytest

from proxy.http1.server import Http1Server
from proxy.net.limits import DEFAULT_LIMITS, ConcurrencyLimit, Limits, Slot, new_connection_limit
from proxy.rules.networks import Networks
from tests.edges import edge, enforcing_timeouts, request
from tests.upstreams import OK, Visit, says, upstream

SIZES = [
    pytest.param(request(b"/" + b"a" * 8_000), b"200", id="8,000 octets of target pass"),
    pytest.param(request(b"/" + b"a" * 17_000), b"414", id="a longer target"),
    pytest.param(request(b"/", b"Cookie: " + b"a" * 32_768), b"200", id="32 KiB of cookies pass"),
    pytest.param(request(b"/", b"Cookie: " + b"a" * 66_000), b"431", id="one field too long"),
    pytest.param(
        request(b"/", *[b"X-%d: " % n + b"a" * 9_000 for n in range(8)]), b"431", id="together"
    ),
    pytest.param(request(b"/", *[b"X-%d: 1" % n for n in range(120)]), b"200", id="122 fields"),
    pytest.param(request(b"/", *[b"X-%d: 1" % n for n in range(130)]), b"431", id="132 fields"),
]


@pytest.mark.parametrize(("data", "status"), SIZES)
async def test_sizes(data: bytes, status: bytes) -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        answer = await labgate.ask(data)
    assert answer.split(b" ")[1] == status
    assert len(jupyter.visits) == (1 if status == b"200" else 0)


def acquire(limit: ConcurrencyLimit, *clients: str) -> list[Slot | None]:
    return [limit.acquire(client) for client in clients]


def test_it_is_counted_in_all_and_by_address() -> None:
    limit = ConcurrencyLimit(3, 2)
    slots = acquire(limit, "a", "a", "a", "b", "c")
    assert [slot is not None for slot in slots] == [True, True, False, True, False]
    assert limit.full
    first = slots[0]
    assert first is not None
    first.release()
    first.release()
    assert len(limit) == 2
    assert limit.acquire("c") is not None
    assert len(limit) == 3


def test_an_address_many_come_from_counts_in_all_only() -> None:
    limit = ConcurrencyLimit(3, 1, Networks([ip_network("10.0.0.5")]))
    first, *slots = acquire(limit, "10.0.0.5", "10.0.0.5", "::1", "::1", "10.0.0.5")
    assert [slot is not None for slot in slots] == [True, True, False, False]
    assert first is not None
    first.release()
    assert limit.acquire("10.0.0.5") is not None


def test_an_ipv6_address_counts_with_its_network() -> None:
    limit = ConcurrencyLimit(9, 1)
    slots = acquire(limit, "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1", "::1")
    assert [slot is not None for slot in slots] == [True, False, True, True]


async def test_the_ports_of_one_labgate_share_their_connection_limit() -> None:
    connection_limit = new_connection_limit(DEFAULT_LIMITS)
    async with edge(None) as labgate:
        handler = labgate.dispatcher
        servers = [Http1Server(handler, connection_limit=connection_limit) for _ in range(2)]
        assert all(server.connection_limit is connection_limit for server in servers)


async def test_one_connection_too_many_is_turned_away_and_room_comes_back() -> None:
    limits = Limits(connections=1)
    async with (
        upstream(says(OK, OK, OK)) as jupyter,
        edge(jupyter.address, limits=limits) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
        await reader.readuntil(b"ok")
        with pytest.raises(ConnectionResetError):
            await labgate.ask(request())
        writer.write(request())
        assert (await reader.read()).endswith(b"ok")
        assert len(labgate.server.connection_limit) == 0
        assert (await labgate.ask(request())).startswith(b"HTTP/1.1 200 ")


SLOW_HEADS = [b"GET /", b"GET / HTTP/1.1\r\nHost: lab.example.org\r\nX-"]


@pytest.mark.parametrize("start", SLOW_HEADS)
async def test_a_slow_head_times_out(start: bytes) -> None:
    limits = Limits(head_seconds=0.05)
    async with edge(None, limits=limits) as labgate:
        reader, writer = await labgate.connect()
        writer.write(start)
        async with asyncio.timeout(30), enforcing_timeouts(labgate):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


@pytest.mark.own_protocol("aiohttp does not say that a head has begun")
async def test_a_connection_that_was_opened_in_advance_is_closed_without_a_word() -> None:
    async with edge(None, limits=Limits(head_seconds=0.05)) as labgate:
        reader, _ = await labgate.connect()
        async with asyncio.timeout(30), enforcing_timeouts(labgate):
            assert await reader.read() == b""


GET = b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"


IN_ONE_SEGMENT = pytest.param(
    True, marks=pytest.mark.own_protocol("aiohttp does not say that a head has begun")
)


@pytest.mark.parametrize("together", [IN_ONE_SEGMENT, False])
async def test_a_slow_second_head_times_out(together: bool) -> None:
    limits = Limits(head_seconds=0.05)
    async with (
        asyncio.timeout(15),
        upstream(says(OK)) as jupyter,
        edge(jupyter.address, limits=limits) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(GET + b"GET / HT" if together else GET)
        await reader.readuntil(b"\r\n\r\nok")
        if not together:
            writer.write(b"GET / HT")
        answering = asyncio.ensure_future(reader.read())
        while not answering.done():
            await labgate.server.enforce_timeouts()
            await asyncio.sleep(0)
        assert answering.result().startswith(b"HTTP/1.1 408 ")


async def test_a_refused_head_is_not_called_slow_as_well() -> None:
    async with asyncio.timeout(15), edge(None, limits=Limits(head_seconds=0.0)) as labgate:
        reader, writer = await labgate.connect()
        writer.write(b"GET  / HTTP/1.1\r\n\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        for _ in range(20):
            await labgate.server.enforce_timeouts()
            await asyncio.sleep(0)
        answer += await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b" 408 " not in answer


async def test_a_request_under_way_is_not_ended_by_head_seconds() -> None:
    limits = Limits(head_seconds=0.001)
    waiting = asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.head()
        await waiting.wait()

    async with upstream(slow) as jupyter, edge(jupyter.address, limits=limits) as labgate:
        reader, writer = await labgate.connect()
        writer.write(request())
        await jupyter.arrived.wait()
        for _ in range(20):
            await labgate.server.enforce_timeouts()
            await asyncio.sleep(0)
        waiting.set()
        assert (await reader.read()).startswith(b"HTTP/1.1 503 ")


async def test_an_idle_connection_is_closed_without_a_word() -> None:
    limits = Limits(keep_alive_seconds=0.05)
    async with upstream(says(OK)) as jupyter, edge(jupyter.address, limits=limits) as labgate:
        reader, writer = await labgate.connect()
        writer.write(b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n\r\n")
        async with asyncio.timeout(30), enforcing_timeouts(labgate):
            assert (await reader.read()).endswith(b"\r\n\r\nok")


async def test_content_that_stops_coming_is_408_and_never_completes_upstream() -> None:
    ended = asyncio.Event()

    async def wait_for_all(visit: Visit) -> None:
        await visit.head()
        try:
            await visit.exactly(10)
        finally:
            ended.set()

    limits = Limits(content_grace_seconds=0.05)
    async with upstream(wait_for_all) as jupyter, edge(jupyter.address, limits=limits) as labgate:
        reader, writer = await labgate.connect()
        writer.write(request(b"/", b"Content-Length: 10", method=b"PUT", content=b"half"))
        async with asyncio.timeout(30), enforcing_timeouts(labgate):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
            await ended.wait()
    assert labgate.records[0].outcome == "The request's content came too slowly."


@pytest.mark.parametrize("framing", [b"Content-Length: 4", b"Transfer-Encoding: chunked"])
@pytest.mark.parametrize("sends", [True, False])
async def test_who_expects_100_is_not_slow_before_it(framing: bytes, sends: bool) -> None:
    """RFC 9110 section 10.1.1: the client waits for Jupyter, and only then Jupyter for it."""
    ready, complete = asyncio.Event(), asyncio.Event()

    async def busy(visit: Visit) -> None:
        await visit.head()
        await ready.wait()
        await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n")
        await visit.exactly(4)
        complete.set()
        await visit.say(OK)

    limits = Limits(content_grace_seconds=0.05)
    async with upstream(busy) as jupyter, edge(jupyter.address, limits=limits) as labgate:
        reader, writer = await labgate.connect()
        writer.write(request(b"/", b"Expect: 100-continue", framing, method=b"POST"))
        await jupyter.arrived.wait()
        patience = monotonic() + 2 * limits.content_grace_seconds
        while monotonic() < patience:
            await labgate.server.enforce_timeouts()
            await asyncio.sleep(0)
        ready.set()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100 ")
        if sends:
            writer.write(b"4\r\nbody\r\n0\r\n\r\n" if b"chunked" in framing else b"body")
            # On a busy machine the content may take longer than is granted here.
            await complete.wait()
        async with asyncio.timeout(30), enforcing_timeouts(labgate):
            answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 " if sends else b"HTTP/1.1 408 ")


@pytest.mark.parametrize("framing", [b"Content-Length: 4", b"Transfer-Encoding: chunked"])
async def test_who_begins_without_100_may_not_stop(framing: bytes) -> None:
    async def silent(visit: Visit) -> None:
        await visit.head()
        await visit.exactly(100)

    limits = Limits(content_grace_seconds=0.05)
    async with upstream(silent) as jupyter, edge(jupyter.address, limits=limits) as labgate:
        reader, writer = await labgate.connect()
        writer.write(request(b"/", b"Expect: 100-continue", framing, method=b"POST"))
        await jupyter.arrived.wait()
        writer.write(b"4\r\nbo" if b"chunked" in framing else b"bo")
        async with asyncio.timeout(30), enforcing_timeouts(labgate):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    ("version", "expect"),
    [(b"1.0", b"100-continue"), (b"1.1", b"100-Continue")],
)
async def test_a_client_that_gets_no_100_owes_content_at_once(
    version: bytes, expect: bytes
) -> None:
    """Jupyter says it to one spelling alone, and nobody tells HTTP/1.0."""

    async def ready(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 100 Continue\r\n\r\n" if version == b"1.0" else b"")
        await visit.exactly(4)

    limits = Limits(content_grace_seconds=0.05)
    async with upstream(ready) as jupyter, edge(jupyter.address, limits=limits) as labgate:
        reader, writer = await labgate.connect()
        head = request(b"/", b"Expect: " + expect, b"Content-Length: 4", method=b"POST")
        writer.write(head.replace(b"HTTP/1.1", b"HTTP/" + version))
        async with asyncio.timeout(30), enforcing_timeouts(labgate):
            assert (await reader.read()).startswith(b"HTTP/1.1 408 ")


async def test_too_many_requests_under_way_are_503() -> None:
    async with edge(None, limits=Limits(requests=0)) as labgate:
        answer = await labgate.ask(request())
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After" in answer


def test_other_limits_count_what_exists() -> None:
    limit = ConcurrencyLimit(2, 2)
    first, second = limit.acquire("192.0.2.1"), limit.acquire("192.0.2.1")
    assert first is not None
    assert second is not None
    limit.change(1, 1, Networks((ip_network("192.0.2.1"),)))
    assert limit.acquire("192.0.2.1") is None
    first.release()
    assert limit.acquire("192.0.2.1") is None
    second.release()
    assert limit.acquire("192.0.2.1") is not None
