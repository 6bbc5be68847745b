"""Accepts the connections of a port, and counts each from its first moment on.

The event loop's own servers report a connection after its TLS handshake. It would not be counted
before, and one client could hold thousands that send nothing.

Tested by tests/net/test_pending_connection.py and tests/e2e/test_crowds.py.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import sys
from time import monotonic
from typing import Any

from proxy.net.pending_connection import FrontServer, PendingConnection
from proxy.net.reset import reset_socket
from proxy.rules.networks import NO_NETWORKS, Networks, plain_address
from proxy.runtime.tasks import yielding_to_others

log = logging.getLogger("labgate")

ACCEPT_RETRY_SECONDS = 1.0
CROWDED_SECONDS = 0.001
"""Accept several connections per turn if they arrive in quicker succession than this."""
MAX_ACCEPTS_PER_TURN = 64
"""Connections accepted before the event loop serves the others again."""
KEEPS_PATH: dict[str, Any] = {"cleanup_socket": False} if sys.version_info >= (3, 13) else {}
"""Keep the path of a closed Unix socket: another process may listen there."""


async def listen(
    server: FrontServer,
    listening: socket.socket,
    context: ssl.SSLContext | None,
    backlog: int,
    proxy_protocol_senders: Networks = NO_NETWORKS,
) -> Listener | asyncio.Server:
    """Accept the connections of ``listening``; the arguments are those of ``Listener``.

    Where HTTP follows at once, without TLS and the PROXY protocol, the event loop accepts, in
    half the time; also on a Unix socket, even with TLS, and the socket's path stays.
    """
    loop = asyncio.get_running_loop()
    if listening.family == socket.AF_UNIX:
        return await loop.create_unix_server(
            server, sock=listening, ssl=context, backlog=backlog, **KEEPS_PATH
        )
    if context is not None or proxy_protocol_senders:
        return Listener(server, listening, context, backlog, proxy_protocol_senders)
    return await loop.create_server(server, sock=listening, backlog=backlog)


class Listener:
    """Accepts the connections of ``listening`` for ``server``, until ``close``.

    They count against ``server.connection_limit`` from here to their end, by the address that
    they come from, or that a header of the PROXY protocol names.

    Attributes:
        pending: Connections whose TLS handshake, or what precedes it, is not finished.
        proxy_protocol_senders: Whose connections begin with a header of the PROXY protocol.

    Args:
        server: Serves the connections.
        listening: A bound socket; this object owns it from now on.
        context: For TLS; None serves plain HTTP.
        backlog: Connections that the kernel keeps waiting.
    """

    def __init__(
        self,
        server: FrontServer,
        listening: socket.socket,
        context: ssl.SSLContext | None,
        backlog: int,
        proxy_protocol_senders: Networks = NO_NETWORKS,
    ) -> None:
        self._server = server
        self._listening = listening
        self._context = context
        self.proxy_protocol_senders = proxy_protocol_senders
        self.pending: set[PendingConnection] = set()
        self._accepts = 1
        self._accepted_at = float("-inf")
        self._retry: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        listening.listen(backlog)
        self._loop.add_reader(listening, self._accept)

    def is_serving(self) -> bool:
        """Whether it accepts, or has connections that are pending still."""
        return self._listening.fileno() >= 0 or bool(self.pending)

    def stop_accepting(self) -> None:
        """Accept nothing new; pending connections continue."""
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        elif self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
        self._listening.close()

    def close(self) -> None:
        """Accept nothing new, and abort what is still pending."""
        self.stop_accepting()
        for pending in list(self.pending):
            pending.abort()

    async def enforce_timeouts(self) -> None:
        """Reset what takes longer than ``Limits.handshake_seconds``; call it twice a second."""
        async for pending in yielding_to_others(self.pending):
            pending.enforce_timeout(monotonic())

    def _accept(self) -> None:
        now = self._loop.time()
        # An accept without a connection costs as much as one with it: try several only in a crowd.
        crowded = now - self._accepted_at < CROWDED_SECONDS
        self._accepts = min(2 * self._accepts, MAX_ACCEPTS_PER_TURN) if crowded else 1
        self._accepted_at = now
        for _ in range(self._accepts):
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
                self._retry = self._loop.call_later(ACCEPT_RETRY_SECONDS, self._resume)
                return
            self._start(channel, plain_address(str(address[0])))

    def _resume(self) -> None:
        self._retry = None
        self._loop.add_reader(self._listening, self._accept)

    def _start(self, channel: socket.socket, peer: str) -> None:
        slot = self._server.connection_limit.acquire(peer)
        if slot is None:
            reset_socket(channel)
            self._server.log_rejection(peer)
            return
        channel.setblocking(False)
        pending = PendingConnection(
            self._server, self.pending, channel, peer, slot, context=self._context
        )
        pending.start(proxy_protocol=peer in self.proxy_protocol_senders)
