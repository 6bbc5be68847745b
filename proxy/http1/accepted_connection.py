"""A client's connection below HTTP: what is sent, when reading pauses, and how it ends.

``server_connection`` speaks HTTP/1.1 over it. After a 101 an ``upgraded_connection`` continues it.
"""

from __future__ import annotations

import asyncio
from collections.abc import MutableSet
from contextlib import suppress
from typing import Protocol

from proxy.http1.refused_heads import RefusedHeads
from proxy.http1.timeouts import UNREAD_SECONDS
from proxy.messages import Dispatch
from proxy.net.limits import ConcurrencyLimit, Limits, Slot
from proxy.net.reset import reset
from proxy.rules.networks import plain_address

MAX_WRITE_BYTES = 64 * 1024
"""For one write. A read from Jupyter may be of 250 KiB, and OpenSSL would keep a buffer of that
and a third more for as long as the connection lives."""
WRITE_BUFFER_BYTES = 32 * 1024
"""For a client that reads slowly. Over TLS asyncio's default is sixteen times that, and thousands
of slow downloads are ordinary."""
SLICED_BYTES = 8 * 1024 * 1024
"""After so many bytes accepted, stop slicing writes: the client reads, and whole writes cost a
tenth less."""


class AcceptingServer(Protocol):
    """The part of a port's server that its connections use; ``Http1Server`` is one.

    Attributes:
        limits: For each connection.
        connection_limit: For all connections together.
        connections: Those that are open.
        dispatch: Takes every request.
        plain_redirects: As in ``rules.head.Arrival``.
        draining: Whether each connection ends after its next response.
        refused_heads: Counts the requests that are refused before there is a head.
    """

    limits: Limits
    connection_limit: ConcurrencyLimit
    plain_redirects: bool
    draining: bool
    dispatch: Dispatch
    refused_heads: RefusedHeads

    @property
    def connections(self) -> MutableSet[AcceptedConnection]: ...

    def on_connection_lost(self, connection: AcceptedConnection) -> None:
        """Forget a connection."""

    def log_rejection(self, client: str) -> None:
        """Log that there is no slot left for ``client``."""


class AcceptedConnection(asyncio.Protocol):
    """A client's connection, whatever is spoken over it.

    Attributes:
        client: The client's address: the one that the PROXY protocol names, or the other end's.
        transport: None before the connection is made and after it is lost.
        congested: Whether the client reads more slowly than labgate writes.
    """

    __slots__ = (
        "_half_closed",
        "_reading_paused",
        "_server",
        "_sliced_bytes_left",
        "_slot",
        "_unread_bytes",
        "_unread_since",
        "client",
        "congested",
        "transport",
    )

    def __init__(self, server: AcceptingServer, client: str, slot: Slot | None) -> None:
        self._server = server
        self._slot = slot
        self.client = client
        self.transport: asyncio.Transport | None = None
        self.congested = self._half_closed = self._reading_paused = False
        self._sliced_bytes_left = SLICED_BYTES
        self._unread_bytes = 0
        self._unread_since = 0.0

    def _acquire_slot(self, transport: asyncio.Transport) -> bool:
        """Acquire a slot for a connection that the event loop accepted; False if there is none."""
        peer = transport.get_extra_info("peername")
        self.client = plain_address(str(peer[0])) if isinstance(peer, tuple) else "local"
        self._slot = self._server.connection_limit.acquire(self.client)
        if self._slot is None:
            self._server.log_rejection(self.client)
        return self._slot is not None

    def _register(self, transport: asyncio.Transport) -> None:
        """Add the open connection to those of its server."""
        self.transport = transport
        self._server.connections.add(self)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES)

    def _unregister(self) -> None:
        """Remove the lost connection from those of its server, and release its slot."""
        self.transport = None
        slot, self._slot = self._slot, None
        if slot is not None:
            slot.release()
            self._server.on_connection_lost(self)

    # What is sent

    def write(self, data: bytes) -> None:
        """Queue bytes for the client; never waits."""
        transport = self.transport
        if transport is None or transport.is_closing():
            # uvloop would log every write to a connection that is closing.
            return
        if len(data) <= MAX_WRITE_BYTES or self._sliced_bytes_left <= 0:
            transport.write(data)
            return
        self._sliced_bytes_left -= len(data)
        octets = memoryview(data)
        for start in range(0, len(data), MAX_WRITE_BYTES):
            transport.write(octets[start : start + MAX_WRITE_BYTES])

    def write_eof(self) -> bool:
        """Send a FIN after what is queued; False where the transport cannot (TLS)."""
        if self.transport is None or not self.transport.can_write_eof():
            return False
        with suppress(OSError):
            # The client may be gone already.
            self.transport.write_eof()
        return True

    # What is read

    def pause_reading(self) -> None:
        """Take no more bytes from the client for now."""
        if not self._reading_paused and self.transport is not None:
            self._reading_paused = True
            self.transport.pause_reading()

    def resume_reading(self) -> None:
        """Take bytes from the client again."""
        if self._reading_paused and self.transport is not None:
            self._reading_paused = False
            self.transport.resume_reading()

    # How it ends

    def finish(self) -> None:
        """Send what is queued, then close; nothing more is read."""
        # asyncio's TLS transport cannot be asked anything after a second close, and on uvloop a FIN
        # could still overtake the reset of a connection that was aborted.
        if self.transport is not None and not self.transport.is_closing():
            self.transport.close()

    def abort(self) -> None:
        """Close at once, so that the client sees a truncation and not an end."""
        if self.transport is not None:
            reset(self.transport)

    def drain(self, *, keep_idle: bool = False) -> None:
        """Close once no request is in progress.

        Args:
            keep_idle: An idle connection stays open for one more request.
        """

    def end(self) -> None:
        """Close now; the client sees if something in progress is truncated."""
        self.abort()

    def enforce_timeouts(self, now: float) -> None:
        """End the connection if it has timed out or its client is gone; called twice a second.

        Args:
            now: ``time.monotonic()``.
        """
        if self.is_unresponsive(now):
            self.abort()

    def is_unresponsive(self, now: float) -> bool:
        """Whether the client reads nothing at all, while its kernel keeps the connection."""
        if self.transport is None:
            return False
        # Only then can bytes be unsent; asking every transport would cost more.
        waiting = self.congested or self.transport.is_closing()
        unread_bytes = self.transport.get_write_buffer_size() if waiting else 0
        if unread_bytes != self._unread_bytes or not unread_bytes:
            self._unread_bytes, self._unread_since = unread_bytes, now
        return now - self._unread_since > UNREAD_SECONDS
