"""Requests byte by byte: however the other side behaves, the connection ends."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from proxy.doctor.answer import NO_HTTP, UNREADABLE
from proxy.doctor.browser import Browser
from proxy.doctor.examination import Credentials, Examination
from proxy.doctor.probes.entry import try_jupyter
from proxy.doctor.raw import exchange
from proxy.doctor.target import Target
from tests.upstreams import says, upstream

UPLOAD_BYTES = 50_000_000


async def test_what_nobody_reads_is_dropped() -> None:
    """A server that has refused an upload by its head may never read it, nor hang up."""
    answered, received = asyncio.Event(), asyncio.get_running_loop().create_future()

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await answered.wait()
        count = 0
        with suppress(ConnectionError):
            while piece := await reader.read(2**20):
                count += len(piece)
        writer.close()
        received.set_result(count)

    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    async with server:
        target = Target("http", "127.0.0.1", server.sockets[0].getsockname()[1])
        head = f"PUT / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {UPLOAD_BYTES}\r\n\r\n"
        answer = await exchange(target, None, head.encode(), "PUT /", body=[b"x" * UPLOAD_BYTES])
        answered.set()
        assert answer.status == 413
        assert await received < UPLOAD_BYTES


OK = b"HTTP/1.1 200 OK\r\nServer: TornadoServer/6.5\r\n"
ANSWERS = [
    (OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "malformed-response"),
    (OK + b"Bad Header: x\r\n\r\n", "malformed-response"),
    (OK + b"SSH-x y: z\r\n\r\n", "malformed-response"),
    (OK + b"X: " + b"a" * 70_000 + b"\r\n\r\n", "malformed-response"),
    (b"HTTP/1.1 200" + b"a" * 70_000 + b"\r\n\r\n", "malformed-response"),
    (b"HTTP/1.1 abc\r\n\r\n", "malformed-response"),
    (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", "not-jupyter"),
    (b"220 mail.example ESMTP\r\n\r\n", "not-jupyter"),
    (b"GET / HTTP/1.1\r\n\r\n", "not-jupyter"),
]


@pytest.mark.parametrize(("said", "symptom"), ANSWERS, ids=range(len(ANSWERS)))
async def test_only_what_does_not_begin_with_http_is_none(said: bytes, symptom: str) -> None:
    async with upstream(says(said, close=True)) as jupyter:
        target = Target("http", "127.0.0.1", jupyter.address.port)
        async with Browser(target, None) as browser:
            found = await try_jupyter(Examination(browser, Credentials(token="x")))
    assert found is not None
    assert found.id == symptom
    begins = UNREADABLE if symptom == "malformed-response" else NO_HTTP
    assert found.received.startswith(begins)
    assert "aaa" not in found.received


async def test_a_status_that_is_no_number_is_http() -> None:
    for said, begins in ((b"HTTP/1.1 abc\r\n\r\n", UNREADABLE), (b"+OK\r\n\r\n", NO_HTTP)):
        async with upstream(says(said, close=True)) as other:
            target = Target("http", "127.0.0.1", other.address.port)
            answer = await exchange(target, None, b"GET / HTTP/1.1\r\n\r\n", "GET /")
        assert answer.failure.startswith(begins)
