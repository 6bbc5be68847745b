"""A connection that is lost while aiohttp lets go of it; the rest is in test_handler.py."""

from __future__ import annotations

import asyncio
from typing import cast

from aiohttp import web

from proxy.http1.server import Http1Server
from proxy.web.front.client_tunnel import ClientTunnel


class ClosingTransport(asyncio.Transport):
    """One whose loss the event loop has told to aiohttp's protocol, or is about to."""

    def is_closing(self) -> bool:
        return True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None: ...


class Connection:
    """aiohttp's protocol, as far as a tunnel needs it."""

    writing_paused = False

    def __init__(self) -> None:
        self.transport: asyncio.Transport | None = ClosingTransport()

    def set_parser(self, parser: object) -> None: ...

    def connection_lost(self, exc: Exception | None) -> None:
        assert self.transport is None, "it would close it"


class Nothing:
    def cancel(self) -> None: ...


class End:
    def __init__(self) -> None:
        self.lost = asyncio.Event()

    def feed_data(self, data: bytes) -> None: ...

    def feed_eof(self) -> None: ...

    def client_congested(self, congested: bool) -> None: ...

    def client_lost(self, exc: Exception | None) -> None:
        self.lost.set()


async def test_a_connection_that_is_being_closed_ends_the_tunnel() -> None:
    """Over TLS the event loop may have chosen whom to tell before the switch."""
    server = Http1Server(lambda _head, _body, _responder: Nothing())
    tunnel = ClientTunnel(server, cast(web.RequestHandler, Connection()), "::1")
    end = End()
    tunnel.start(end)
    async with asyncio.timeout(15):
        await end.lost.wait()
    assert tunnel not in server.connections
