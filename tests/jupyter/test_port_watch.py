from __future__ import annotations

import asyncio
import socket

import pytest

from proxy.jupyter.port_watch import is_open, wait_until_closed

HOST = "127.0.0.1"


def no() -> bool:
    return False


def listening(port: int = 0) -> socket.socket:
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind((HOST, port))
    server.listen()
    server.setblocking(False)
    return server


async def looked_at(server: socket.socket) -> None:
    """Wait until a connection came."""
    connection, _ = await asyncio.get_running_loop().sock_accept(server)
    connection.close()


async def test_a_port_that_closes() -> None:
    server = listening()
    port = server.getsockname()[1]
    watch = asyncio.ensure_future(
        wait_until_closed(HOST, port, was_open=no, closed_seconds=0.05, interval_seconds=0.01)
    )
    await looked_at(server)
    assert not watch.done()
    server.close()
    async with asyncio.timeout(30):
        await watch


async def test_one_that_is_not_open_yet_has_not_closed() -> None:
    reserved = socket.socket()
    reserved.bind((HOST, 0))
    with reserved, pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await wait_until_closed(
                HOST,
                reserved.getsockname()[1],
                was_open=no,
                closed_seconds=0.0,
                interval_seconds=0.01,
            )


async def test_one_that_was_open_between_two_looks() -> None:
    with socket.socket() as reserved:
        reserved.bind((HOST, 0))
        async with asyncio.timeout(30):
            await wait_until_closed(
                HOST,
                reserved.getsockname()[1],
                was_open=lambda: True,
                closed_seconds=0.0,
                interval_seconds=0.01,
            )


async def test_a_server_that_accepts_nothing_is_open() -> None:
    with listening() as server:
        assert await is_open(HOST, server.getsockname()[1])


async def test_closed_for_a_moment_only() -> None:
    """As a server that is started again in place."""
    server = listening()
    port = server.getsockname()[1]
    watch = asyncio.ensure_future(
        wait_until_closed(HOST, port, was_open=no, closed_seconds=3600.0, interval_seconds=0.01)
    )
    await looked_at(server)
    server.close()
    async with asyncio.timeout(30):
        while await is_open(HOST, port):
            pass
    with listening(port) as server:
        await looked_at(server)
        assert not watch.done()
    watch.cancel()
