"""A client's connection after an upgrade, which aiohttp has let go of.

Tested by tests/web/front/test_handler.py.
"""

from __future__ import annotations

import asyncio
from typing import Any, cast

from aiohttp import web

from proxy.http1.accepted_connection import AcceptedConnection, AcceptingServer
from proxy.http1.upgraded_connection import UpgradedConnection
from proxy.net.limits import Slot


class ClientTunnel(UpgradedConnection):
    """The protocol of the transport from the 101 on (``messages.RawConnection``).

    Args:
        server: Owns the connection from now on.
        connection: aiohttp's protocol, which owned it.
        client: The client's address.
        slot: Counts the connection; None if it is not counted.
        half_closed: Whether the client has sent its last byte.
    """

    __slots__ = ()

    def __init__(
        self,
        server: AcceptingServer,
        connection: web.RequestHandler,
        client: str,
        slot: Slot | None = None,
        *,
        half_closed: bool = False,
    ) -> None:
        # UpgradedConnection.__init__ takes over from labgate's own protocol; this was aiohttp's.
        AcceptedConnection.__init__(self, server, client, slot)
        transport = connection.transport
        assert transport is not None, "the 101 was written to it"
        self.transport = transport
        self.congested = connection.writing_paused
        self._half_closed = half_closed
        self._tunnel_end = None
        server.connections.add(self)
        self._early_bytes = _let_go(connection, self, transport)
        if transport.is_closing():
            # connection_lost may be scheduled already, for the protocol that was there before.
            asyncio.get_running_loop().call_soon(self.connection_lost, None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._server.on_connection_lost(self)


class _EarlyBytes:
    """Keeps the bytes that followed the handshake, which aiohttp did not parse."""

    def __init__(self) -> None:
        self.octets = b""

    def feed_data(self, data: bytes) -> tuple[bool, bytes]:
        self.octets += data
        return False, b""

    def feed_eof(self) -> None:
        """Called when the parser is taken away."""


def _let_go(
    connection: web.RequestHandler, protocol: asyncio.Protocol, transport: asyncio.Transport
) -> bytes:
    """Give the transport to ``protocol``, and tell aiohttp that its connection is gone.

    Then aiohttp ends its task and frees the request, where it would otherwise write its response
    into the tunnel and close it. The parser takes the early bytes, which aiohttp would otherwise
    parse as the next request.

    Returns:
        The bytes that came behind the handshake.
    """
    early = _EarlyBytes()
    # It is typed for aiohttp's parser of WebSocket frames.
    connection.set_parser(cast(Any, early))
    transport.set_protocol(protocol)
    connection.transport = None
    connection.connection_lost(None)
    return early.octets
