"""A listening socket whose trusted senders announce their clients (PROXY protocol).

The header comes before TLS and exactly its octets are taken off the socket, so that
everything behind it arrives as if it were the first; asyncio's own servers have no place
for that.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from contextlib import suppress

from proxy.inspector.redaction import printable, redact_octets
from proxy.rules.networks import Networks, plain_address
from proxy.rules.proxy_protocol import V2_MOST_OCTETS, Fault, Header, parse
from proxy.tasks import spawn
from proxy.upstream.reset import reset_socket

from .limits import connection_limit
from .server import EdgeServer

log = logging.getLogger("labgate")

ACCEPT_RETRY_SECONDS = 1.0
SHOWN_OCTETS = 40


class AnnouncementError(Exception):
    """A trusted sender's connection does not begin with a valid header."""


class AnnouncedListener:
    """Takes connections from ``listening`` for ``edge``, until ``close``.

    A connection from ``trusted`` must begin with a valid header and belongs to the client
    that it names; any other is served as it is, so a header on it is malformed TLS or HTTP.
    What has arrived and is not yet a connection of ``edge`` is bounded in number, as open
    connections are, and in time, by ``Limits.handshake_seconds`` each for the header and
    for TLS.

    Args:
        edge: Serves the connections.
        listening: A bound socket; it is this object's from here on.
        context: For TLS; None serves plain HTTP.
        trusted: Who announces its clients.
        backlog: Connections that the kernel keeps waiting.
    """

    def __init__(
        self,
        edge: EdgeServer,
        listening: socket.socket,
        context: ssl.SSLContext | None,
        trusted: Networks,
        backlog: int,
    ) -> None:
        self._edge = edge
        self._listening = listening
        self._context = context
        self._trusted = trusted
        self._arriving = connection_limit(edge.limits, trusted)
        self._arrivals: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        listening.setblocking(False)
        listening.listen(backlog)
        self._loop.add_reader(listening, self._accept)

    @property
    def arriving(self) -> int:
        """Connections that have not finished their header and TLS handshake."""
        return len(self._arriving)

    def close(self) -> None:
        """Take nothing new, and drop what has not become a connection yet."""
        if self._pause is not None:
            self._pause.cancel()
        elif self._listening.fileno() >= 0:
            self._loop.remove_reader(self._listening)
        self._listening.close()
        for arrival in self._arrivals:
            arrival.cancel()

    def _accept(self) -> None:
        try:
            channel, address = self._listening.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            # Out of descriptors or memory: the socket stays readable, so asking again at
            # once would be a busy loop.
            log.error("cannot accept connections: %s; trying again", error.strerror or error)
            self._loop.remove_reader(self._listening)
            self._pause = self._loop.call_later(ACCEPT_RETRY_SECONDS, self._resume)
            return
        peer = plain_address(str(address[0]))
        slot = self._arriving.acquire(peer)
        if slot is None:
            log.warning("too many connections are arriving: %s is turned away", peer)
            reset_socket(channel)
            return
        channel.setblocking(False)

        def over(arrival: asyncio.Task[None]) -> None:
            self._arrivals.discard(arrival)
            slot.release()
            channel.close()

        arrival = spawn(self._arrive(channel, peer), "arrival")
        self._arrivals.add(arrival)
        arrival.add_done_callback(over)

    def _resume(self) -> None:
        self._pause = None
        self._loop.add_reader(self._listening, self._accept)

    async def _arrive(self, channel: socket.socket, peer: str) -> None:
        """From an accepted socket to a connection of the edge."""
        header = None
        if peer in self._trusted:
            try:
                header = await self._announcement(channel)
            except AnnouncementError as error:
                log.info("%s is a trusted proxy but sent %s: connection reset", peer, error)
                reset_socket(channel)
                return
            except OSError:
                # It went away: that is how many balancers ask whether the port is open.
                return
        client = peer if header is None else header.source or peer
        vouched = header is None or header.source is not None
        seconds = self._edge.limits.handshake_seconds if self._context is not None else None
        # The descriptor is the transport's from here on, which closes it in its own time.
        handed_over = socket.socket(fileno=channel.detach())
        handed_over.setblocking(False)
        # A failed handshake is not worth a line, as on any other port.
        with suppress(OSError):
            await self._loop.connect_accepted_socket(
                lambda: self._edge.connection(client, vouched=vouched),
                handed_over,
                ssl=self._context,
                ssl_handshake_timeout=seconds,
            )

    async def _announcement(self, channel: socket.socket) -> Header:
        """Take the header off the socket, and not an octet more.

        Raises:
            AnnouncementError: Something else came, or nothing in time.
            OSError: The connection ended.
        """
        seconds = self._edge.limits.handshake_seconds
        came = b""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    seen = await self._peek(channel)
                    verdict = parse(came + seen)
                    if isinstance(verdict, Fault):
                        raise AnnouncementError(f"{_shown(came + seen)} ({verdict.reason})")
                    if verdict is not None:
                        channel.recv(verdict.length - len(came))
                        return verdict
                    # All of it belongs to the header. Left there, it would keep the socket
                    # readable, and this a busy loop.
                    came += channel.recv(len(seen))
        except TimeoutError:
            sent = _shown(came) if came else "nothing"
            raise AnnouncementError(f"{sent} within {seconds:g} seconds") from None

    async def _peek(self, channel: socket.socket) -> bytes:
        """What has arrived, at least one octet; it stays there."""
        while True:
            with suppress(BlockingIOError, InterruptedError):
                seen = channel.recv(V2_MOST_OCTETS, socket.MSG_PEEK)
                if not seen:
                    raise ConnectionResetError("ended before its header")
                return seen
            readable = self._loop.create_future()
            self._loop.add_reader(channel, _set, readable)
            try:
                await readable
            finally:
                self._loop.remove_reader(channel)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _shown(data: bytes) -> str:
    return f"'{printable(redact_octets(data), SHOWN_OCTETS)}'"
