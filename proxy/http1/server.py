"""The server of a port: creates its connections and ends them."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic

from proxy.http1.accepted_connection import AcceptedConnection
from proxy.http1.misdirected_connection import MisdirectedConnection
from proxy.http1.open_connections import OpenConnections
from proxy.http1.refused_heads import RefusedHeads
from proxy.http1.server_connection import ServerConnection
from proxy.messages import Dispatch
from proxy.net.limits import DEFAULT_LIMITS, ConcurrencyLimit, Limits, Slot, new_connection_limit
from proxy.rules.head import Arrival
from proxy.runtime.log_throttle import LogThrottle
from proxy.runtime.memory import map_large_buffers
from proxy.runtime.tasks import yielding_to_others

log = logging.getLogger("labgate")


class Http1Server:
    """Makes a ``ServerConnection`` of every connection; a protocol factory for plain ports.

    Attributes:
        connections: Those that are open.
        connection_limit: How many there may be on all ports, with those that are pending.
        dispatch: Takes every request.
        plain_redirects: As in ``rules.head.Arrival``.
        draining: Whether each connection ends after its next response.
        refused_heads: Counts the requests that are refused before there is a head.
    """

    def __init__(
        self,
        dispatch: Dispatch,
        *,
        plain_redirects: bool = False,
        limits: Limits = DEFAULT_LIMITS,
        connection_limit: ConcurrencyLimit | None = None,
    ) -> None:
        self.dispatch = dispatch
        self.plain_redirects = plain_redirects
        self.draining = False
        self.refused_heads = RefusedHeads()
        self.limits = limits
        self.connection_limit = (
            connection_limit if connection_limit is not None else new_connection_limit(limits)
        )
        self.connections: OpenConnections[AcceptedConnection] = OpenConnections()
        self._rejections = LogThrottle()

    def __call__(self) -> ServerConnection:
        return ServerConnection(self)

    def connection(self, client: str, slot: Slot, client_known: bool) -> asyncio.Protocol:
        """A new connection that a listener accepted.

        Args:
            client: The client's address.
            slot: Counts the connection.
            client_known: False if the PROXY sender withheld the client's address.
        """
        loop = asyncio.get_running_loop()
        # The event loop makes the connection's TLS buffer next, in this turn.
        map_large_buffers(True)
        loop.call_soon(map_large_buffers, False)
        arrival = Arrival(client, self.plain_redirects, client_known)
        return ServerConnection(self, arrival, slot)

    def misdirected_connection(
        self, client: str, slot: Slot, _client_known: bool
    ) -> MisdirectedConnection:
        """A new connection of a client that speaks plain HTTP to a port for HTTPS."""
        return MisdirectedConnection(self, Arrival(client), slot)

    def dispatch_to(self, dispatch: Dispatch) -> None:
        """Give it every request that comes from now on."""
        self.dispatch = dispatch

    def change_limits(self, limits: Limits) -> None:
        """Use these limits from now on; the caller changes ``connection_limit`` first."""
        self.limits = limits

    def log_rejection(self, client: str) -> None:
        """Log that there is no slot left for ``client``; a crowd gets one line now and then."""
        if (more := self._rejections.due(monotonic())) is not None:
            key = "connections" if self.connection_limit.full else "connections_per_address"
            message = "too many connections (limits.%s): %s is turned away%s"
            log.warning(message, key, client, more)

    async def enforce_timeouts(self) -> None:
        """End the connections that have timed out or lost their client; call it twice a second."""
        async for connection in yielding_to_others(self.connections):
            connection.enforce_timeouts(monotonic())

    def on_connection_lost(self, connection: AcceptedConnection) -> None:
        """Forget a connection."""
        self.connections.lost(connection)

    def drain(self, *, keep_idle: bool = False) -> None:
        """Take no more requests: close idle connections now, the others after their response.

        Args:
            keep_idle: An idle connection may bring one request more. Its client may have sent
                that already, and would otherwise lose it.
        """
        self.draining = True
        for connection in list(self.connections):
            connection.drain(keep_idle=keep_idle)

    async def shutdown(self, timeout: float) -> None:
        """End every connection; a response that is not complete is truncated.

        Args:
            timeout: Seconds for connections that still have to send what is queued.
        """
        await self.connections.end(timeout)
        for connection in list(self.connections):
            connection.abort()
