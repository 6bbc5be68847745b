"""A connection on its way from the listening socket to its first octet of HTTP.

First the header of the PROXY protocol where one is expected, then the ClientHello where TLS is
spoken, and then the event loop's transport. Until then it is a bare socket: one that says
nothing, or not everything, costs no more than its descriptor.
"""

from __future__ import annotations

import asyncio
import logging
import select
import socket
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from proxy.net.limits import ConcurrencyLimit, Limits, Slot
from proxy.net.reset import reset_socket
from proxy.rules.proxy_protocol import V2_MAX_OCTETS, Fault, Header, parse
from proxy.rules.redaction import printable, redact_octets
from proxy.tls.client_hello import HANDSHAKE, MAX_HELLO_BYTES, PartialHello

log = logging.getLogger("labgate")

MAX_LOGGED_OCTETS = 40
POLLRDHUP: int = getattr(select, "POLLRDHUP", 0)


class Server(Protocol):
    """Serves what a pending connection becomes; ``Http1Server`` is one."""

    @property
    def limits(self) -> Limits: ...

    @property
    def connection_limit(self) -> ConcurrencyLimit:
        """Counts the connections, pending ones too."""
        ...

    def __call__(self) -> asyncio.Protocol:
        """A connection that the event loop accepted; it acquires its slot itself."""
        ...

    def connection(self, client: str, slot: Slot, client_known: bool, /) -> asyncio.Protocol:
        """A connection of ``client``; the slot is the connection's from here on."""
        ...

    def misdirected_connection(
        self, client: str, slot: Slot, client_known: bool, /
    ) -> asyncio.Protocol:
        """The same for plain HTTP on a port for HTTPS."""
        ...

    def log_rejection(self, client: str, /) -> None:
        """Log that there is no slot left for ``client``."""
        ...


NewConnection = Callable[[str, Slot, bool], asyncio.Protocol]


class PendingConnection:
    """One of them, from ``begin`` until it is served, or gone.

    Args:
        server: Is to serve it.
        pending: The listener's others; it is in there meanwhile.
        channel: Not blocking; it is this object's from here on.
        peer: The address of the other end.
        slot: Counts the connection.
        context: For TLS; None for plain HTTP.
    """

    __slots__ = (
        "_channel",
        "_client",
        "_client_known",
        "_context",
        "_deadline",
        "_expects_header",
        "_handed_over",
        "_header",
        "_hello",
        "_loop",
        "_new",
        "_pending",
        "_reader",
        "_server",
        "_slot",
        "_task",
        "_wake_bytes",
    )

    def __init__(
        self,
        server: Server,
        pending: set[PendingConnection],
        channel: socket.socket,
        peer: str,
        slot: Slot,
        *,
        context: ssl.SSLContext | None,
    ) -> None:
        self._server = server
        self._pending = pending
        self._channel = channel
        self._client = peer
        self._slot = slot
        self._context = context
        self._client_known = True
        self._expects_header = False
        self._header = b""
        self._hello: PartialHello | None = None
        self._wake_bytes = 1
        self._deadline = monotonic() + server.limits.handshake_seconds
        self._loop = asyncio.get_running_loop()
        self._new: NewConnection = server.connection
        self._task: asyncio.Task[object] | None = None
        self._reader: Callable[[], None] | None = None
        self._handed_over = False

    def start(self, *, proxy_protocol: bool) -> None:
        """Wait for the PROXY header or the ClientHello.

        Args:
            proxy_protocol: Whether a header of the PROXY protocol comes first.
        """
        self._pending.add(self)
        self._expects_header = proxy_protocol
        if proxy_protocol:
            self._read_header()
        else:
            self._start_protocol()

    def enforce_timeout(self, now: float) -> None:
        """Reset it if it is overdue; the TLS handshake has a timer of its own."""
        if self._task is not None or now < self._deadline:
            return
        if self._expects_header:
            sent = _redacted(self._header) if self._header else "nothing"
            self._refuse_header(f"{sent} within {self._server.limits.handshake_seconds:g} seconds")
        else:
            self._reset()

    def abort(self) -> None:
        """Reset it, or cancel its TLS handshake."""
        if self._task is None:
            self._reset()
            return
        self._task.cancel()
        if not self._handed_over:
            # Before its first step a task runs none of its endings.
            self._reset()

    # The PROXY protocol

    def _read_header(self) -> None:
        """Read the header from the socket, and not an octet more."""
        seen = self._peek(V2_MAX_OCTETS, self._read_header)
        if not seen:
            # Many balancers connect and close to see whether the port is open: no log line.
            return
        verdict = parse(self._header + seen)
        if isinstance(verdict, Fault):
            self._refuse_header(f"{_redacted(self._header + seen)} ({verdict.reason})")
        elif verdict is None:
            # All of it belongs to the header. Left there, it would keep the socket
            # readable, and this a busy loop.
            self._header += self._channel.recv(len(seen))
            self._wait(self._read_header)
        else:
            self._channel.recv(verdict.length - len(self._header))
            self._expects_header, self._header = False, b""
            self._apply_header(verdict)

    def _apply_header(self, header: Header) -> None:
        self._client_known = header.source is not None
        if header.source is not None:
            # Count the client from here on, instead of the sender.
            self._slot.release()
            slot = self._server.connection_limit.acquire(header.source)
            if slot is None:
                self._server.log_rejection(header.source)
                self._reset()
                return
            self._client, self._slot = header.source, slot
        self._stop_waiting()
        self._start_protocol()

    def _refuse_header(self, sent: str) -> None:
        log.info("%s is a trusted proxy but sent %s: connection reset", self._client, sent)
        self._reset()

    # TLS

    def _start_protocol(self) -> None:
        if self._context is None:
            self._hand_over(self._server.connection, None)
        else:
            self._read_hello()

    def _read_hello(self) -> None:
        """Leave the ClientHello in the socket until all of it has arrived."""
        seen = self._peek(MAX_HELLO_BYTES, self._read_hello)
        if not seen:
            return
        if seen[0] != HANDSHAKE:
            self._stop_waiting()
            if seen[:1].isupper():
                # As a method begins; nothing else of it is read.
                self._hand_over(self._server.misdirected_connection, None)
            else:
                self._reset()
            return
        if self._hello is None:
            self._hello = PartialHello()
        wanted = self._hello.bytes_to_wait_for(seen)
        woken_early = len(seen) < self._wake_bytes
        if wanted > MAX_HELLO_BYTES or (woken_early and self._has_ended()):
            self._reset()
        elif wanted and not woken_early and self._set_wake_bytes(wanted):
            self._wait(self._read_hello)
        else:
            # Complete, or this kernel cannot wait for a number of octets: then TLS waits.
            self._stop_waiting()
            if self._wake_bytes > 1:
                self._set_wake_bytes(1)
            self._hand_over(self._server.connection, self._context)

    def _set_wake_bytes(self, size: int) -> bool:
        """Have the socket readable from ``size`` octets on; False if the kernel cannot do that."""
        try:
            self._channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, size)
        except OSError:
            return False
        self._wake_bytes = size
        return True

    def _has_ended(self) -> bool:
        """Whether the client has sent its FIN; always False where poll(2) lacks POLLRDHUP."""
        if not POLLRDHUP:
            return False
        asked = select.poll()
        asked.register(self._channel, POLLRDHUP)
        return bool(asked.poll(0))

    # The socket

    def _peek(self, most: int, again: Callable[[], None]) -> bytes:
        """Look at what has arrived without reading it; b"" for nothing yet, and for the end.

        Args:
            most: Octets.
            again: Called whenever more has arrived.
        """
        seen = b""
        try:
            seen = self._channel.recv(most, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            self._wait(again)
            return b""
        except OSError:
            pass
        if not seen:
            self._reset()
        return seen

    def _wait(self, callback: Callable[[], None]) -> None:
        if self._reader != callback:
            self._reader = callback
            self._loop.add_reader(self._channel.fileno(), callback)

    def _stop_waiting(self) -> None:
        if self._reader is not None:
            self._reader = None
            self._loop.remove_reader(self._channel.fileno())

    def _reset(self) -> None:
        if self._channel.fileno() >= 0:
            self._stop_waiting()
            reset_socket(self._channel)
        self._discard()

    def _discard(self) -> None:
        self._pending.discard(self)
        self._slot.release()

    # The event loop's transport

    def _hand_over(self, new: NewConnection, context: ssl.SSLContext | None) -> None:
        """Start the TLS handshake, or HTTP where there is none."""
        seconds = max(self._deadline - monotonic(), 0.1) if context is not None else None
        self._new = new
        # Neither a coroutine around it nor ``tasks.spawn``: every TLS connection pays for them.
        self._task = self._loop.create_task(
            self._loop.connect_accepted_socket(
                self._make_connection, self._channel, ssl=context, ssl_handshake_timeout=seconds
            ),
            name="pending connection",
        )
        self._task.add_done_callback(self._connected)

    def _make_connection(self) -> asyncio.Protocol:
        """Called by the event loop; from here on its transport owns the descriptor."""
        self._handed_over = True
        return self._new(self._client, self._slot, self._client_known)

    def _connected(self, task: asyncio.Task[object]) -> None:
        self._pending.discard(self)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            self._slot.release()
        if not self._handed_over:
            self._channel.close()
        # A failed handshake (an OSError) is the client's affair: no log line.
        if error is not None and not isinstance(error, OSError):
            log.error("cannot serve %s", self._client, exc_info=error)


def _redacted(data: bytes) -> str:
    return f"'{printable(redact_octets(data), MAX_LOGGED_OCTETS)}'"
