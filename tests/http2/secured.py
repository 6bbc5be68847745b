"""An edge behind TLS that speaks HTTP/2, and raw clients for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from proxy.http2.server import Http2Server
from proxy.net.limits import DEFAULT_LIMITS, Limits
from proxy.net.listener import Listener
from proxy.net.ports import BACKLOG, bind
from proxy.net.upstream_address import UpstreamAddress
from tests.certificates import context_for
from tests.edges import Edge, edge
from tests.http2 import frames
from tests.http2.raw_client import NAME, RawClient, connect


class SecuredEdge:
    """A running edge, its HTTP/2 server and its clients."""

    def __init__(self, plain: Edge, server: Http2Server, port: int) -> None:
        self.edge = plain
        self.server = server
        self.port = port
        self._clients: list[RawClient] = []

    async def connect(
        self, *, alpn: tuple[str, ...] = ("h2",), name: str = NAME, address: str = "127.0.0.1"
    ) -> RawClient:
        """A client's connection, with the preface and an empty SETTINGS sent."""
        client = await self.connect_silently(alpn=alpn, name=name, address=address)
        client.send(frames.PREFACE, frames.settings())
        return client

    async def connect_silently(
        self, *, alpn: tuple[str, ...] = ("h2",), name: str = NAME, address: str = "127.0.0.1"
    ) -> RawClient:
        """A client's connection on which nothing was sent."""
        client = await connect(self.port, alpn=alpn, name=name, address=address)
        self._clients.append(client)
        return client

    async def close(self) -> None:
        for client in self._clients:
            with suppress(Exception):
                await client.close()


@asynccontextmanager
async def secured(
    address: UpstreamAddress | None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    certificates: tuple[tuple[str, ...], ...] = ((NAME,),),
    **options: Any,
) -> AsyncIterator[SecuredEdge]:
    """Run an edge for ``https://lab.example.org`` in front of ``address``, behind TLS."""
    # Its own clients speak HTTP/1.1, whatever this run is about.
    async with edge(address, limits=limits, server_name="labgate", **options) as plain:
        server = Http2Server(plain.dispatcher, limits=limits)
        (listening,) = bind(["127.0.0.1"], 0, "--https-port")
        port = listening.getsockname()[1]
        listener = Listener(server, listening, context_for(certificates), BACKLOG)
        running = SecuredEdge(plain, server, port)
        try:
            yield running
        finally:
            listener.close()
            await running.close()
            await server.shutdown(timeout=0.5)
