"""How exchanges and their connections end: once, counted, and so that nobody is misled."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import cast

import pytest

from proxy.access.access_control import AccessControl
from proxy.rules.head import RequestHead
from tests.edges import Edge, edge, request
from tests.upstreams import OK, Visit, says, upstream
from tests.wire.talk import Recorder

pytestmark = pytest.mark.both_loops

SECONDS = 60.0
HOST = b"Host: lab.example.org\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
WEBSOCKET = (
    b"GET /api/kernels/1/channels HTTP/1.1\r\n" + HOST + b"Origin: https://lab.example.org\r\n"
    b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
RESET = struct.pack("ii", 1, 0)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for something that nobody announces."""
    async with asyncio.timeout(SECONDS):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def same_moment(*steps: Callable[[], object]) -> None:
    """The kernel knows of all of them before the event loop looks again."""
    for step in steps:
        step()
        time.sleep(0.05)


async def dialled(labgate: Edge, data: bytes) -> socket.socket:
    """A client's plain socket that has sent ``data``."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", labgate.port))
    await loop.sock_sendall(client, data)
    return client


def reset(client: socket.socket) -> None:
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


def other_end(visit: Visit) -> socket.socket:
    """Jupyter's socket, beside the transport that owns it."""
    raw = visit.writer.get_extra_info("socket")
    return socket.socket(fileno=os.dup(raw.fileno()))


BROKEN = {
    "get": b"GET / HTTP/1.0\r\n" + HOST + b"\r\n",
    "upload": b"PUT / HTTP/1.0\r\n" + HOST + b"Content-Length: 5\r\n\r\nhello",
    "half an upload": b"PUT / HTTP/1.0\r\n" + HOST + b"Content-Length: 500\r\n\r\nhello",
    "chunks": CHUNKED + b"5\r\nhello\r\n",
}


@pytest.mark.parametrize("case", BROKEN)
async def test_an_answer_that_breaks_off_is_a_reset(case: str) -> None:
    """RFC 9112 section 8: after a FIN an HTTP/1.0 client would take it for whole."""
    go = asyncio.Event()

    async def breaks(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await go.wait()
        visit.writer.close()

    async with (
        asyncio.timeout(SECONDS),
        upstream(breaks) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(BROKEN[case])
        await reader.readuntil(b"hello")
        go.set()
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_half_an_upload_gets_no_half_answer() -> None:
    """RFC 9112 section 8: the client ends in the middle, and Jupyter has begun to answer."""

    async def early(visit: Visit) -> None:
        await visit.head()
        await visit.say(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
        await visit.reader.read()

    async with (
        asyncio.timeout(SECONDS),
        upstream(early) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(BROKEN["half an upload"])
        await reader.readuntil(b"hello")
        writer.write_eof()
        with pytest.raises(ConnectionResetError):
            await reader.read()


async def test_a_client_that_ends_while_jupyter_is_slow(caplog: pytest.LogCaptureFixture) -> None:
    """Noticed when Jupyter reads on, in a call of its own transport."""
    go, asked = asyncio.Event(), asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.head()
        visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
        asked.set()
        await go.wait()
        visit.writer.transport.resume_reading()  # type: ignore[attr-defined]
        with suppress(ConnectionResetError):
            while await visit.reader.read(2**20):
                pass

    loop = asyncio.get_running_loop()
    put = b"PUT / HTTP/1.1\r\n" + HOST + b"Content-Length: 90000000\r\n\r\n"
    async with upstream(slow) as jupyter, edge(jupyter.address) as labgate:
        client = await dialled(labgate, put)
        await asked.wait()
        (connection,) = labgate.pool.open
        while not connection.congested:
            await loop.sock_sendall(client, b"x" * 32768)
            await asyncio.sleep(0)
        client.shutdown(socket.SHUT_WR)
        (edge_side,) = labgate.server.connections
        await until(lambda: edge_side._half_closed)
        go.set()
        await until(lambda: not labgate.open_requests.count and not labgate.pool.connections)
        client.close()
        assert len(labgate.records) == 1
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("first", ["Jupyter", "the client"])
async def test_a_client_that_leaves_with_the_101_takes_jupyters_side_along(first: str) -> None:
    asked, ended = asyncio.Event(), asyncio.Event()
    visits: list[Visit] = []

    async def switches(visit: Visit) -> None:
        await visit.head()
        visits.append(visit)
        asked.set()
        with suppress(ConnectionResetError):
            # Once it is a tunnel, resets travel, too.
            await visit.reader.read()
        ended.set()

    async with (
        asyncio.timeout(SECONDS),
        upstream(switches) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        client = await dialled(labgate, WEBSOCKET)
        await asked.wait()
        with other_end(visits[0]) as other:
            steps: list[Callable[[], object]] = [lambda: other.send(SWITCH), lambda: reset(client)]
            same_moment(*(steps if first == "Jupyter" else reversed(steps)))
        await ended.wait()
        await until(lambda: not labgate.open_requests.count)
        assert not labgate.pool.connections


@pytest.mark.parametrize("first", ["Jupyter", "the client"])
async def test_who_leaves_as_a_request_is_sent_again_is_counted_out(first: str) -> None:
    """The task that would have sent it again is cancelled before its first step."""
    asked = asyncio.Event()
    visits: list[Visit] = []

    async def closes(visit: Visit) -> None:
        visits.append(visit)
        await visit.head()
        await visit.say(OK)
        await visit.head()
        asked.set()
        await visit.reader.read()

    async with (
        asyncio.timeout(SECONDS),
        upstream(closes) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        loop = asyncio.get_running_loop()
        client = await dialled(labgate, GET)
        received = b""
        while not received.endswith(b"ok"):
            received += await loop.sock_recv(client, 1000)
        await loop.sock_sendall(client, GET)
        await asked.wait()
        with other_end(visits[0]) as other:
            steps: list[Callable[[], object]] = [
                lambda: other.shutdown(socket.SHUT_RDWR),
                lambda: reset(client),
            ]
            same_moment(*(steps if first == "Jupyter" else reversed(steps)))
        await until(lambda: not labgate.server.connections and not labgate.open_requests.count)
        visits[0].writer.transport.abort()


async def test_a_request_that_cannot_begin_is_counted_out() -> None:
    class Faulty:
        def at_once(self, _: RequestHead) -> None:
            raise RuntimeError("a fault of ours")

    async with (
        asyncio.timeout(SECONDS),
        upstream(says(OK)) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        labgate.router.protect(cast(AccessControl, Faulty()))
        assert (await labgate.ask(request())).startswith(b"HTTP/1.1 500 ")
        assert labgate.open_requests.count == 0


async def test_a_drain_does_not_wait_for_a_tunnel_that_opens_meanwhile() -> None:
    asked, go = asyncio.Event(), asyncio.Event()

    async def switches(visit: Visit) -> None:
        await visit.head()
        asked.set()
        await go.wait()
        await visit.say(SWITCH)
        await visit.reader.read()

    async with (
        asyncio.timeout(SECONDS),
        upstream(switches) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        reader, writer = await labgate.connect()
        writer.write(WEBSOCKET)
        await asked.wait()
        drained = asyncio.ensure_future(labgate.open_requests.drained())
        await asyncio.sleep(0)
        go.set()
        await reader.readuntil(b"\r\n\r\n")
        await drained
        assert len(labgate.open_requests.tunnels) == 1


async def test_a_frame_behind_jupyters_reset_is_no_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    visits: list[Visit] = []

    async def switches(visit: Visit) -> None:
        visits.append(visit)
        await visit.head()
        await visit.say(SWITCH)
        await visit.reader.read()

    async with (
        asyncio.timeout(SECONDS),
        upstream(switches) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        loop = asyncio.get_running_loop()
        client = await dialled(labgate, WEBSOCKET)
        assert await loop.sock_recv(client, 65536)
        visits[0].writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, RESET
        )
        visits[0].writer.transport.abort()
        await asyncio.sleep(0)
        same_moment(lambda: client.send(b"frame" * 50_000))
        with suppress(ConnectionError):
            while await loop.sock_recv(client, 65536):
                pass
        client.close()
    assert "Traceback" not in caplog.text


LEAVING = {
    "get": request(),
    "chunked": CHUNKED + b"5\r\nhello\r\n0\r\n\r\n",
    "refused": request(b"/", b"Origin: https://evil.example"),
    "upload": request(b"/", b"Content-Length: 5", method=b"PUT", content=b"hello"),
    "half an upload": request(b"/", b"Content-Length: 500", method=b"PUT", content=b"hello"),
    "malformed": CHUNKED + b"z\r\n",
    "refused chunks": CHUNKED[:-2] + b"Origin: https://evil.example\r\n\r\n5\r\nhello\r\n",
    "health": request(b"/.labgate/health"),
}


@pytest.mark.parametrize("case", LEAVING)
async def test_nothing_waits_for_the_garbage_collector(case: str) -> None:
    """It runs late here (``proxy.runtime.memory``), and with everybody waiting."""
    recorder = Recorder(lambda _: [OK])
    async with (
        asyncio.timeout(SECONDS),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        await labgate.ask(request())
        gc.collect()
        gc.freeze()  # It has nothing to say of the ten thousand tests that pytest holds.
        gc.disable()
        try:
            for number in range(20):
                reader, writer = await labgate.connect()
                writer.write(LEAVING[case])
                if case == "half an upload":
                    # Together with the first one that only warmed up.
                    await until(lambda number=number: len(recorder.requests()) == number + 2)  # type: ignore[misc]
                    writer.transport.abort()
                else:
                    await reader.read()
                    writer.close()
            await until(lambda: not labgate.server.connections and not labgate.open_requests.count)
            labgate.records.clear()
            gc.set_debug(gc.DEBUG_SAVEALL)
            gc.collect()
            found = Counter(type(one).__qualname__ for one in gc.garbage if _is_ours(type(one)))
        finally:
            gc.set_debug(0)
            gc.garbage.clear()
            gc.enable()
            gc.unfreeze()
    assert not found


def _is_ours(kind: type) -> bool:
    return kind.__module__.startswith(("proxy", "httptools"))
