"""The accepting side for others: on a socket of theirs, as long as they do not accept."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from proxy.app import Application
from proxy.config.settings import Settings
from proxy.net.ports import Ports, bind

PATIENCE_SECONDS = 60.0
NONSENSE = b"x\r\n\r\n"


class Pair:
    """A labgate, and another worker's socket, which nobody else accepts on."""

    def __init__(self, *, proxy_protocol: bool) -> None:
        access = {"trusted_proxies": ["127.0.0.1"], "proxy_protocol": proxy_protocol}
        settings = Settings.model_validate({"listen": {"tls": False}, "access": access})
        self.preamble = b"PROXY UNKNOWN\r\n" if proxy_protocol else b""
        self.labgate = Application(settings, access_log=False, renew=False)
        (self.theirs,) = bind(["127.0.0.1"], 0, "--x")
        self.theirs.listen()
        self.inherited = self.theirs.dup()
        others = Ports([self.inherited], [])
        self.ports = Ports(bind(["127.0.0.1"], 0, "--x"), [], others=others)

    async def dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to the other worker's socket, with a request."""
        reader, writer = await asyncio.open_connection(*self.theirs.getsockname())
        writer.write(self.preamble + NONSENSE)
        return reader, writer


@pytest.fixture(params=[False, True], ids=["event loop", "listener"])
async def pair(request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    """Both ways of accepting (``net.listener.listen``)."""
    pair = Pair(proxy_protocol=request.param)
    await pair.labgate.start(pair.ports)
    async with asyncio.timeout(PATIENCE_SECONDS):
        yield pair
    await pair.labgate.stop()
    pair.theirs.close()


async def answered(pair: Pair) -> bool:
    """Whether labgate alone takes a connection that waits in the other worker's queue."""
    reader, writer = await pair.dial()
    said = await reader.read()
    writer.close()
    return said.startswith(b"HTTP/1.1 400 ")


async def waits(pair: Pair) -> bool:
    """Whether a connection is left to the other worker."""
    _, writer = await pair.dial()
    channel, _ = await asyncio.get_running_loop().sock_accept(pair.theirs)
    channel.close()
    writer.close()
    return True


async def test_it_accepts_for_another_worker_until_that_does(pair: Pair) -> None:
    vacant = [pair.inherited.fileno()]
    for _ in range(2):
        assert await waits(pair)
        await pair.labgate.accept_for_others(vacant)
        await pair.labgate.accept_for_others([*vacant, 10**6])
        assert await answered(pair)
        await pair.labgate.accept_for_others([])


async def test_what_waits_is_taken(pair: Pair) -> None:
    reader, writer = await pair.dial()
    await pair.labgate.accept_for_others([pair.inherited.fileno()])
    assert (await reader.read()).startswith(b"HTTP/1.1 400 ")
    writer.close()


@pytest.mark.parametrize("accepts", [True, False])
async def test_a_worker_that_ends_lets_go_of_them(pair: Pair, accepts: bool) -> None:
    """As long as one descriptor is open, somebody who connects waits in vain."""
    vacant = [pair.inherited.fileno()]
    if accepts:
        await pair.labgate.accept_for_others(vacant)
    pair.labgate.leave_to_others()
    await pair.labgate.accept_for_others(vacant)
    assert await waits(pair)
    address = pair.theirs.getsockname()
    pair.theirs.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
