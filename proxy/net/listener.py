"""Takes the connections of a port, and counts each from its first moment on.

The event loop's own servers tell of a connection when its TLS handshake is over; until then
nobody would count it, and thousands that say nothing could be held by one client.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from time import monotonic

from proxy.net.pending_connection import PendingConnection, Server
from proxy.net.reset import reset_socket
from proxy.rules.networks import NO_NETWORKS, Networks, plain_address
from proxy.runtime.tasks import yielding_to_others

log = logging.getLogger("labgate")

ACCEPT_RETRY_SECONDS = 1.0
CROWDED_SECONDS = 0.001
"""Connections that follow one another faster are accepted several at a time."""
MOST_AT_ONCE = 64
"""Connections that are taken before whoever is connected already has a turn."""


async def listen(
    server: Server,
    listening: socket.socket,
    context: ssl.SSLContext | None,
    backlog: int,
    proxy_protocol_senders: Networks = NO_NETWORKS,
) -> Listener | asyncio.Server:
    """Take the connections of ``listening``; the arguments are those of ``Listener``.

    Where neither TLS nor the PROXY protocol comes before HTTP, the event loop accepts, in half
    the time.
    """
    if context is not None or proxy_protocol_senders:
        return Listener(server, listening, context, backlog, proxy_protocol_senders)
    loop = asyncio.get_running_loop()
    return await loop.create_server(server, sock=listening, backlog=backlog)


class Listener:
    """Takes connections from ``listening`` for ``server``, until ``close``.

    They count against ``server.connection_limit`` from here to their end, by the address that
    they come from, or that a header of the PROXY protocol names.

    Attributes:
        pending: Those that have not finished their TLS handshake, or what comes before it.

    Args:
        server: Serves the connections.
        listening: A bound socket; it is this object's from here on.
        context: For TLS; None serves plain HTTP.
        backlog: Connections that the kernel keeps waiting.
        proxy_protocol_senders: Whose connections begin with a header of the PROXY protocol.
    """

    def __init__(
        self,
        server: Server,
        listening: socket.socket,
        context: ssl.SSLContext | None,
        backlog: int,
        proxy_protocol_senders: Networks = NO_NETWORKS,
    ) -> None:
        self._server = server
        self._listening = listening
        self._context = context
        self._proxy_protocol_senders = proxy_protocol_senders
        self.pending: set[PendingConnection] = set()
        self._at_once = 1
        self._accepted_at = float("-inf")
        self._pause: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        listening.listen(backlog)
        self._loop.add_reader(listening, self._accept)

    def close(self) -> None:
        """Take nothing new, and drop what has not become a connection yet."""
        if self._pause is not None:
            self._pause.cancel()
        elif self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
        self._listening.close()
        for pending in list(self.pending):
            pending.drop()

    async def shed(self) -> None:
        """End what takes longer than ``Limits.handshake_seconds``; call it twice a second."""
        async for pending in yielding_to_others(self.pending):
            pending.shed(monotonic())

    def _accept(self) -> None:
        now = self._loop.time()
        # To ask in vain costs as much as to accept: only where many come is it asked again.
        crowded = now - self._accepted_at < CROWDED_SECONDS
        self._at_once = min(2 * self._at_once, MOST_AT_ONCE) if crowded else 1
        self._accepted_at = now
        for _ in range(self._at_once):
            try:
                channel, address = self._listening.accept()
            except (BlockingIOError, InterruptedError):
                return
            except ConnectionAbortedError:
                continue
            except OSError as error:
                # Out of descriptors or memory: the socket stays readable, so asking again at
                # once would be a busy loop.
                log.error("cannot accept connections: %s; trying again", error.strerror or error)
                self._loop.remove_reader(self._listening)
                self._pause = self._loop.call_later(ACCEPT_RETRY_SECONDS, self._resume)
                return
            self._take(channel, plain_address(str(address[0])))

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening, self._accept)

    def _take(self, channel: socket.socket, peer: str) -> None:
        slot = self._server.connection_limit.acquire(peer)
        if slot is None:
            reset_socket(channel)
            self._server.log_rejection(peer)
            return
        channel.setblocking(False)
        pending = PendingConnection(
            self._server, self.pending, channel, peer, slot, context=self._context
        )
        pending.begin(proxy_protocol=peer in self._proxy_protocol_senders)
