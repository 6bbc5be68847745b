"""Which protocol a client gets, on which port."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import replace
from ipaddress import ip_network

import pytest

from proxy.http2.server import Http2Server
from proxy.messages import RequestBody, RequestInProgress, Responder
from proxy.net.limits import Limits, new_connection_limit
from proxy.rules.head import RequestHead
from proxy.rules.networks import Networks
from proxy.rules.site import Site, WebOrigin, make_site
from tests.certificates import AUTHORITY
from tests.edges import edge, request
from tests.http2 import frames
from tests.http2.raw_client import NAME
from tests.http2.secured import SecuredEdge, secured
from tests.upstreams import OK, Upstream, says, upstream


async def asked_in_http_1_1(running: SecuredEdge, *protocols: str) -> bytes:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    if protocols:
        context.set_alpn_protocols(list(protocols))
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", running.port, ssl=context, server_hostname=NAME
    )
    try:
        writer.write(request())
        return await reader.read()
    finally:
        writer.close()


@pytest.mark.both_loops
@pytest.mark.parametrize("protocols", [("h2",), ("http/1.1", "h2"), ("spdy/3", "h2")])
async def test_a_client_that_offers_http_2_gets_it(protocols: tuple[str, ...]) -> None:
    async with upstream(says(OK)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect(alpn=protocols)
        client.send(frames.get(1, b"/x"))
        response = await client.response(1)
        assert response.statuses == [200]
        assert response.content == b"ok"
        (record,) = running.edge.records
        assert record.head.version == (2, 0)
        assert record.head.arrival.tls_seconds is not None
    assert jupyter.heads.startswith(b"GET /x HTTP/1.1\r\n")
    assert b"Via: 2.0 labgate\r\n" in jupyter.heads


@pytest.mark.both_loops
@pytest.mark.parametrize("protocols", [(), ("http/1.1",)])
async def test_every_other_client_gets_http_1_1(protocols: tuple[str, ...]) -> None:
    async with upstream(says(OK)) as jupyter, secured(jupyter.address) as running:
        answer = await asked_in_http_1_1(running, *protocols)
        assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
        assert answer.endswith(b"\r\n\r\nok")
        (record,) = running.edge.records
        assert record.head.version == (1, 1)
        assert record.head.arrival.tls_seconds is not None


async def test_http_2_without_tls_is_refused() -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        answer = await labgate.ask(frames.PREFACE + frames.settings() + frames.get(1))
        assert answer.startswith(b"HTTP/1.1 505 ")
    assert jupyter.heads == b""


async def test_plain_http_on_the_port_is_told_to_use_https() -> None:
    async with secured(None) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(request())
        assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
        writer.close()


async def test_a_malformed_request_is_counted_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "labgate")
    async with secured(None) as running:
        client = await running.connect()
        client.send(frames.headers(1, ((b":method", b"CONNECT"), *frames.GET[1:])))
        await client.response(1)
        assert running.server.refused_heads.counts == {("target", 405): 1}
    assert "405 from 127.0.0.1: target" in caplog.messages


async def test_connections_of_both_protocols_are_counted_until_they_end() -> None:
    async with upstream(says(OK)) as jupyter, secured(jupyter.address) as running:
        client = await running.connect()
        client.send(frames.get(1))
        await client.response(1)
        assert len(running.server.connection_limit) == len(running.server.connections) == 1
        assert len(running.server.stream_limit) == 0
        await client.close()
        async with asyncio.timeout(10):
            while running.server.connections:  # noqa: ASYNC110  nothing tells it
                await asyncio.sleep(0)
        assert len(running.server.connection_limit) == 0


def test_streams_are_limited_as_requests_are() -> None:
    proxies = Networks([ip_network("192.0.2.9")])
    limits = Limits(requests=4, requests_per_address=1)
    server = Http2Server(nobody, limits=limits, connection_limit=new_connection_limit(limits))
    assert allowed(server, "192.0.2.1") == 1
    server.connection_limit.change(100, 100, proxies)
    server.change_limits(replace(limits, requests=7, requests_per_address=2))
    assert allowed(server, "192.0.2.2") == 2
    assert allowed(server, "192.0.2.9") == 4, "all that is left, as many clients share it"
    started = Http2Server(
        nobody, limits=limits, connection_limit=new_connection_limit(limits, proxies)
    )
    assert allowed(started, "192.0.2.9") == 4


def allowed(server: Http2Server, client: str) -> int:
    """How many streams more a client may open."""
    return sum(server.stream_limit.acquire(client) is not None for _ in range(10))


def nobody(head: RequestHead, body: RequestBody, responder: Responder) -> RequestInProgress:
    raise AssertionError


NAMES = ("lab.example.org", "www.example.org")


def get_of(name: str, stream: int) -> bytes:
    return frames.headers(
        stream,
        [(key, name.encode() if key == b":authority" else value) for key, value in frames.GET],
    )


def site_of(jupyter: Upstream) -> Site:
    origins = tuple(WebOrigin("https", name, 443) for name in NAMES)
    return make_site(origins, jupyter.address.origin)


async def test_another_name_of_the_site_needs_its_own_connection() -> None:
    async with (
        upstream(says(OK, OK)) as jupyter,
        secured(
            jupyter.address,
            certificates=((NAMES[0],), (NAMES[1],)),
            site=site_of(jupyter),
        ) as running,
    ):
        client = await running.connect()
        client.send(get_of(NAMES[0], 1), get_of(NAMES[1], 3))
        assert (await client.response(1)).statuses == [200]
        assert (await client.response(3)).statuses == [421]
        client = await running.connect(name=NAMES[1])
        client.send(get_of(NAMES[1], 1))
        assert (await client.response(1)).statuses == [200]


async def test_a_certificate_for_both_names_lets_them_share_a_connection() -> None:
    async with (
        upstream(says(OK, OK)) as jupyter,
        secured(jupyter.address, certificates=(NAMES,), site=site_of(jupyter)) as running,
    ):
        client = await running.connect()
        client.send(get_of(NAMES[0], 1), get_of(NAMES[1], 3))
        assert (await client.response(1)).statuses == [200]
        assert (await client.response(3)).statuses == [200]
