"""Secrets planted wherever a request or an answer has room, and everything labgate writes."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.lockout import Lockout
from proxy.inspector.curl import to_curl
from proxy.inspector.har import to_har
from proxy.inspector.headers import format_exchange
from proxy.net.listener import Listener
from proxy.net.ports import bind
from proxy.observe.access_line import format_line
from proxy.rules.networks import Networks
from tests.edges import Edge, edge, request
from tests.upstreams import Visit, upstream

SECRET = "s3cret"
HANDSHAKE = (
    b"Upgrade: websocket",
    b"Origin: https://lab.example.org",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)

QUERIES = [
    b"token=s3cret",
    b"a=1&TOKEN=s3cret&b=2",
    b"to%6ben=s3cret",
    b"%74%6F%6B%65%6E=s3cret",
    b"+token=s3cret",
    b"access_token=s3cret",
    b"api-key=s3cret;s3cret",
    b"_xsrf=2%7Cs3cret",
    b"password=s3cret",
    b"X-Amz-Signature=s3cret",
    b"code=s3cret&state=1",
    b"next=%2Flab%3Ftoken%3Ds3cret",
    b"next=%2Flab%3Fto%256ben%3Ds3cret",
    b"next=https%3A%2F%2Fada%3As3cret%40lab.example.org%2F",
    b"next=https://ada:s3cret@lab.example.org/",
]
TARGETS = [
    *(b"/lab?" + query for query in QUERIES),
    b"/lab;token=s3cret",
    b"/lab#token=s3cret",
    b"//ada:s3cret@lab.example.org/lab",
    b"http://ada:s3cret@lab.example.org/lab",
    b"ada:s3cret@lab.example.org:443",
]
FIELDS = [
    b"Authorization: token s3cret",
    b"Authorization: bearer s3cret",
    b"Authorization: Basic " + base64.b64encode(b"ada:s3cret"),
    b"Authorization: s3cret",
    b"Authorization: s3cret s3cret",
    b"Cookie: a=s3cret; s3cret; __Host-labgate=1.2.s3cret.s3cret",
    b"Origin: https://ada:s3cret@lab.example.org",
    b"Origin: ada:s3cret@lab.example.org",
    b"Proxy-Authorization: Basic s3cret",
    b"Referer: https://lab.example.org/lab?to%6ben=s3cret",
    b"Referer: https://ada:s3cret@lab.example.org/lab",
    b"Referer: http://ada:s3cret@127.0.0.1:8888/lab",
    b"Sec-WebSocket-Protocol: v1.kernel.websocket.jupyter.org, s3cret",
    b"Sec-WebSocket-Protocol: v1.token.websocket.jupyter.org.s3cret",
    b"X-Api-Key: s3cret",
    b"X-Forwarded-Access-Token: s3cret",
    b"X-Forwarded-Host: ada:s3cret@lab.example.org",
    b"X-Forwarded-Uri: /lab?token=s3cret",
    b"X-XSRFToken: s3cret",
    b"X_Real_Secret: s3cret",
]
ANSWERED = [
    b"Location: http://127.0.0.1:8888/lab?token=s3cret",
    b"Location: http://lab.example.org/lab?to%6ben=s3cret",
    b"Location: https://ada:s3cret@lab.example.org/",
    b"Set-Cookie: a=s3cret; Path=/",
    b"X-Auth-Token: s3cret",
    b"Sec-WebSocket-Protocol: v1.token.websocket.jupyter.org.s3cret",
]
SECRETS = [b"s3cret", base64.b64encode(b"ada:s3cret")]


def named(octets: bytes) -> bytes:
    """With Connection naming the field, so that it is removed, and the removal shown."""
    return b"Connection: " + octets.partition(b":")[0]


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """Everything that is written; at the end no secret may be in it."""
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []
    yield texts
    logged = [record.getMessage() for record in caplog.get_records("call")]
    everything = "\n".join([*logged, *texts])
    assert everything.strip(), "nothing was written"
    for secret in SECRETS:
        assert secret.decode() not in everything
    assert "[redacted]" in everything


def records(labgate: Edge) -> list[str]:
    """Every exchange as the access log, ``--show-headers`` and the inspector show it."""
    captured = list(labgate.captured)
    assert len(captured) == len(labgate.records)
    return [
        *map(format_line, labgate.records),
        *map(format_exchange, captured),
        *map(to_curl, captured),
        *(json.dumps(exchange.details()) for exchange in captured),
        json.dumps(to_har(captured)),
    ]


async def answer(visit: Visit) -> None:
    """Everything an answer has room for; garbage to whom asks for that."""
    while head := await visit.head():
        if b"garbage" in head:
            await visit.say(b"s3cret\r\n\r\n")
            return
        fields = b"\r\n".join([*ANSWERED, b"Connection: X-Auth-Token, Sec-WebSocket-Protocol"])
        await visit.say(
            b"HTTP/1.1 200 OK token=s3cret\r\n" + fields + b"\r\nContent-Length: 0\r\n\r\n"
        )


async def test_of_requests_that_go_up(shown: list[str]) -> None:
    async with upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        labgate.router.protect(AccessControl(Lockout(1000, 900.0)))
        for target in TARGETS:
            await labgate.ask(request(target))
        for field in FIELDS:
            await labgate.ask(request(b"/lab", field))
            await labgate.ask(request(b"/lab", named(field), field))
            await labgate.ask(request(b"/lab", b"Connection: Upgrade", *HANDSHAKE, field))
        shown += records(labgate)
        assert jupyter.heads.count(b" HTTP/1.1\r\n") > 2 * len(FIELDS)


async def test_of_refusals(shown: list[str]) -> None:
    async with edge(None) as labgate:
        labgate.inspect()
        for target in TARGETS:
            await labgate.ask(request(target, b"Origin: https://evil.example"))
        for field in FIELDS:
            await labgate.ask(request(b"/lab", b"Sec-Fetch-Site: cross-site", field))
        for name in (b"Origin", b"Sec-Fetch-Site", b"Expect", b"Transfer-Encoding", b"Via"):
            await labgate.ask(request(b"/lab", name + b": https://a:s3cret@h/?token=s3cret"))
        host = b"Host: ada:s3cret@lab.example.org"
        await labgate.ask(b"GET / HTTP/1.1\r\n" + host + b"\r\nConnection: close\r\n\r\n")
        await labgate.ask(b"GET / HTTP/1.1\r\n" + host + b"\r\nHost: x\r\n\r\n")
        await labgate.ask(b"CONNECT ada:s3cret@h:443 HTTP/1.1\r\nHost: h\r\n\r\n")
        shown += records(labgate)


async def test_of_5xx(shown: list[str], caplog: pytest.LogCaptureFixture) -> None:
    async with edge(None) as labgate:
        labgate.inspect()
        for target in TARGETS:
            await labgate.ask(request(target))
        shown += records(labgate)
    assert "Jupyter is being started" in caplog.text
    async with upstream(answer) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        for query in QUERIES:
            await labgate.ask(request(b"/garbage?" + query))
        shown += records(labgate)
        assert {record.status for record in labgate.records} == {502}


async def test_of_what_stands_where_the_proxy_protocol_should(
    shown: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    trusted = Networks([ip_network("127.0.0.1")])
    starts = [request(target) for target in TARGETS if not target.startswith(b"ada")]
    starts += [b"GET / HTTP/1.1\r\n" + field + b"\r\n\r\n" for field in FIELDS]
    starts += [b"PROXY TCP4 /?token=s3cret ada:s3cret@h 1 2\r\n"]
    async with edge(None) as labgate:
        labgate.inspect()
        (listening,) = bind(["127.0.0.1"], 0, "--http-port")
        port = listening.getsockname()[1]
        listener = Listener(labgate.server, listening, None, 100, trusted)
        for start in starts:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(start)
            with pytest.raises(ConnectionError):
                await reader.read()
            writer.close()
        listener.close()
    assert caplog.text.count("is a trusted proxy but sent") == len(starts)
