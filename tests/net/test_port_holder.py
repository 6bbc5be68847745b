"""With a real labgate: tests/e2e/test_status.py."""

from __future__ import annotations

import asyncio
import socket

from prometheus_client.metrics_core import Metric

from proxy.net.port_holder import is_labgate
from proxy.web.metrics import serve_metrics
from tests.e2e.programs import free_port
from tests.upstreams import Visit, upstream

HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nserving\n"


async def asked(answer: bytes) -> bool:
    async def respond(visit: Visit) -> None:
        if (await visit.reader.read(1)) == b"G":  # no TLS
            await visit.say(answer)

    async with upstream(respond) as other:
        address = other.address
        return await asyncio.to_thread(is_labgate, address.host, address.port)


async def test_a_labgate_answers_at_its_health_path() -> None:
    assert await asked(HEALTHY)


async def test_a_labgate_answers_at_its_metrics() -> None:
    async def scrape() -> list[Metric]:
        return []

    listening = socket.create_server(("127.0.0.1", 0))
    async with serve_metrics("127.0.0.1", scrape, listening):
        assert await asyncio.to_thread(is_labgate, *listening.getsockname())


async def test_one_at_all_addresses_of_a_machine_without_ipv6s_own() -> None:
    """A socket at ``[::]`` may have both families (``BindIPv6Only=both``)."""

    async def respond(visit: Visit) -> None:
        if (await visit.reader.read(1)) == b"G":
            await visit.say(HEALTHY)

    async with upstream(respond) as other:  # at 127.0.0.1 alone
        assert await asyncio.to_thread(is_labgate, "::", other.address.port)
        assert not await asyncio.to_thread(is_labgate, "::1", other.address.port)


async def test_any_other_program_does_not() -> None:
    assert not await asked(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    assert not await asked(b"SSH-2.0-OpenSSH\r\n")


def test_one_that_says_nothing_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not is_labgate("127.0.0.1", silent.getsockname()[1])
    assert not is_labgate("127.0.0.1", free_port())
