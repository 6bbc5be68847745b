"""Many requests of one address, whatever keeps them open: others are served.

127.0.0.2 is the crowd, 127.0.0.3 somebody else.
"""

from __future__ import annotations

import asyncio
import logging
from ipaddress import ip_network

import pytest

from proxy.net.limits import (
    WEB_APP_REQUESTS,
    WEB_APP_REQUESTS_PER_ADDRESS,
    ConcurrencyLimit,
    Limits,
)
from proxy.net.reset import reset
from proxy.rules.networks import Networks
from proxy.rules.site import make_site
from tests.edges import PUBLIC, Edge, edge, request
from tests.heads import JUPYTER
from tests.upstreams import OK, Visit, upstream

PATIENCE_SECONDS = 30.0
CROWD, OTHER = "127.0.0.2", "127.0.0.3"
MOST = 4
LIMITS = Limits(requests=3 * MOST, requests_per_address=MOST)

EXPECTING = b"Expect: 100-continue"
LENGTH = b"Content-Length: 5"
CROWDS = [
    pytest.param(request(b"/slow", EXPECTING, LENGTH, method=b"POST"), id="100-continue"),
    pytest.param(
        request(b"/slow", EXPECTING, LENGTH, b"Connection: Expect", method=b"POST"),
        id="Connection: Expect",
    ),
    pytest.param(request(b"/slow", LENGTH, method=b"POST", content=b"x"), id="a slow upload"),
    pytest.param(request(b"/slow"), id="a slow answer"),
    pytest.param(2 * request(b"/slow").replace(b"close", b"keep-alive"), id="pipelined"),
]


async def jupyter(visit: Visit) -> None:
    """Silent on /slow, and quick elsewhere."""
    while True:
        head = await visit.head()
        if b" /slow " in head:
            await visit.reader.read()
            return
        await visit.say(OK)


async def connected(
    labgate: Edge, address: str, data: bytes
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", labgate.port, local_addr=(address, 0)
    )
    labgate.writers.append(writer)
    writer.write(data)
    return reader, writer


async def status(labgate: Edge, address: str, data: bytes) -> bytes:
    reader, _ = await connected(labgate, address, data)
    return (await reader.readuntil(b"\r\n"))[9:12]


async def until_in_progress(limit: ConcurrencyLimit, count: int) -> None:
    while len(limit) < count:  # noqa: ASYNC110  no event says so
        await asyncio.sleep(0)


@pytest.mark.parametrize("data", CROWDS)
async def test_a_crowd_of_one_address_keeps_nobody_else_out(
    data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        upstream(jupyter) as behind,
        edge(behind.address, limits=LIMITS) as labgate,
    ):
        for _ in range(MOST):
            await connected(labgate, CROWD, data)
        await until_in_progress(labgate.limit, MOST)
        for _ in range(2 * LIMITS.requests):
            assert await status(labgate, CROWD, data) == b"503"
        assert await status(labgate, OTHER, request()) == b"200"
        for address in (CROWD, OTHER):
            assert await status(labgate, address, request(b"/.labgate/health")) == b"200"
            assert await status(labgate, address, request(b"/.labgate/ready")) == b"200"
        assert len(labgate.limit) == MOST
        for writer in labgate.writers:
            # By a FIN alone it would still be waiting for its answers.
            reset(writer.transport)
        while labgate.open_requests.count:  # noqa: ASYNC110  no event says so
            await asyncio.sleep(0)
        assert len(labgate.limit) == 0
        assert await status(labgate, CROWD, request()) == b"200"
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert line.getMessage().endswith("(limits.requests_per_address): 503 for 127.0.0.2")


async def test_labgates_own_paths_are_answered_when_everything_is_full() -> None:
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        upstream(jupyter) as behind,
        edge(behind.address, limits=Limits(requests=1)) as labgate,
    ):
        await connected(labgate, CROWD, request(b"/slow"))
        await until_in_progress(labgate.limit, 1)
        assert await status(labgate, OTHER, request()) == b"503"
        assert await status(labgate, OTHER, request(b"/.labgate/health")) == b"200"
        assert await status(labgate, OTHER, request(b"/.labgate/ready")) == b"200"
        # Refusals keep nobody waiting either, and say what is wrong.
        evil = request(b"/", b"Origin: https://evil.example")
        assert await status(labgate, OTHER, evil) == b"403"


async def test_clients_behind_a_trusted_proxy_count_by_their_own_address() -> None:
    trusted = Networks([ip_network(CROWD)])
    async with asyncio.timeout(PATIENCE_SECONDS), upstream(jupyter) as behind:
        site = make_site((PUBLIC,), behind.address.origin, trusted_proxies=trusted)
        async with edge(behind.address, site=site, limits=LIMITS) as labgate:
            mine = b"X-Forwarded-For: 192.0.2.1"
            for _ in range(MOST):
                await connected(labgate, CROWD, request(b"/slow", mine))
            await until_in_progress(labgate.limit, MOST)
            assert await status(labgate, CROWD, request(b"/", mine)) == b"503"
            another = request(b"/", b"X-Forwarded-For: 192.0.2.2")
            assert await status(labgate, CROWD, another) == b"200"
            # Those of whom the proxy says nothing are not one client's, but count in all.
            for _ in range(LIMITS.requests - MOST):
                await connected(labgate, CROWD, request(b"/slow"))
            await until_in_progress(labgate.limit, LIMITS.requests)
            assert await status(labgate, CROWD, another) == b"503"


async def test_an_open_websocket_is_not_counted_as_a_request() -> None:
    async def switches(visit: Visit) -> None:
        await visit.head()
        fields = b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        await visit.say(b"HTTP/1.1 101 Switching Protocols\r\n" + fields)
        await visit.reader.read()

    handshake = request(
        b"/ws",
        b"Origin: https://lab.example.org",
        b"Upgrade: websocket",
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        b"Sec-WebSocket-Version: 13",
    ).replace(b"Connection: close", b"Connection: Upgrade")
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        upstream(switches) as behind,
        edge(behind.address, limits=Limits(requests_per_address=1)) as labgate,
    ):
        for _ in range(3):
            assert await status(labgate, CROWD, handshake) == b"101"
        assert len(labgate.limit) == 0


async def test_a_crowd_on_labgates_own_paths_leaves_room_for_others(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They wait until labgate knows whether Jupyter is ready."""
    known = asyncio.Event()

    async def is_ready() -> bool:
        await known.wait()
        return True

    ready, health = request(b"/.labgate/ready"), request(b"/.labgate/health")
    addresses = WEB_APP_REQUESTS // WEB_APP_REQUESTS_PER_ADDRESS
    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        upstream(jupyter) as behind,
        edge(behind.address, upstream_answers=is_ready) as labgate,
    ):
        route = labgate.router.web_app
        for number in range(addresses):
            address = f"127.0.1.{number}"
            assert await status(labgate, OTHER, health) == b"200"
            waiting = [
                await connected(labgate, address, ready)
                for _ in range(WEB_APP_REQUESTS_PER_ADDRESS)
            ]
            await until_in_progress(route.limit, (number + 1) * len(waiting))
            assert await status(labgate, address, ready) == b"503"
        assert await status(labgate, OTHER, health) == b"503"
        assert await status(labgate, OTHER, request()) == b"200"
        assert route.pool.connections == WEB_APP_REQUESTS
        known.set()
        for reader, _ in waiting:
            assert (await reader.readuntil(b"\r\n"))[9:12] == b"200"
        while len(route.limit):  # noqa: ASYNC110  no event says so
            await asyncio.sleep(0)
        assert await status(labgate, OTHER, health) == b"200"
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    expected = "too many requests at once (labgate's own paths): 503 for 127.0.1.0"
    assert line.getMessage() == expected


async def test_clients_behind_a_trusted_proxy_share_no_limit_on_labgates_own_paths() -> None:
    site = make_site((PUBLIC,), JUPYTER, trusted_proxies=Networks([ip_network(f"{CROWD}/32")]))
    known = asyncio.Event()

    async def is_ready() -> bool:
        await known.wait()
        return True

    async with (
        asyncio.timeout(PATIENCE_SECONDS),
        edge(None, site=site, upstream_answers=is_ready) as labgate,
    ):
        for _ in range(WEB_APP_REQUESTS_PER_ADDRESS):
            await connected(labgate, CROWD, request(b"/.labgate/ready"))
        assert await status(labgate, CROWD, request(b"/.labgate/health")) == b"200"
        known.set()
