"""A connection on its way from the listening socket to its first byte of HTTP.

First it reads the header of the PROXY protocol where one is expected, then it waits for the
ClientHello where TLS is spoken, and then the event loop's transport begins.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from time import monotonic
from typing import Protocol

from proxy.net.limits import ConcurrencyLimit, Limits, Slot
from proxy.net.peeked_socket import PeekedSocket
from proxy.rules.proxy_protocol import V2_MAX_OCTETS, Fault, Header, parse_proxy_header
from proxy.rules.redaction import printable, redact_octets
from proxy.tls.client_hello import HANDSHAKE, MAX_HELLO_BYTES, PartialHello

log = logging.getLogger("labgate")

MAX_LOGGED_OCTETS = 40


class FrontServer(Protocol):
    """Serves a connection once it is no longer pending; ``Http1Server`` is one."""

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
        """A connection of ``client``, which owns the slot from now on."""
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


class PendingConnection(PeekedSocket):
    """A connection from ``start`` until it is served or closed.

    Args:
        server: Serves the connection afterwards.
        pending: The listener's set, which contains it as long as it is pending.
        channel: Non-blocking; this object owns it from now on.
        peer: The address of the other end.
        slot: Counts the connection.
        context: For TLS; None for plain HTTP.
    """

    __slots__ = (
        "_client",
        "_client_known",
        "_context",
        "_deadline",
        "_expects_header",
        "_handed_over",
        "_header",
        "_hello",
        "_new_connection",
        "_pending",
        "_server",
        "_slot",
        "_task",
    )

    def __init__(
        self,
        server: FrontServer,
        pending: set[PendingConnection],
        channel: socket.socket,
        peer: str,
        slot: Slot,
        *,
        context: ssl.SSLContext | None,
    ) -> None:
        super().__init__(channel)
        self._server = server
        self._pending = pending
        self._client = peer
        self._slot = slot
        self._context = context
        self._client_known = True
        self._expects_header = False
        self._header = b""
        self._hello: PartialHello | None = None
        self._deadline = monotonic() + server.limits.handshake_seconds
        self._new_connection: NewConnection = server.connection
        self._task: asyncio.Task[object] | None = None
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
            # A task that has not begun when it is cancelled runs none of its cleanup.
            self._reset()

    # The PROXY protocol

    def _read_header(self) -> None:
        """Read the header from the socket, and not a byte more."""
        seen = self._peek(V2_MAX_OCTETS, self._read_header)
        if not seen:
            # Many balancers connect and close to see whether the port is open: no log line.
            return
        verdict = parse_proxy_header(self._header + seen)
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
        arrived = self._peek(MAX_HELLO_BYTES, self._read_hello)
        if not arrived:
            return
        if arrived[0] != HANDSHAKE:
            self._stop_waiting()
            if arrived[:1].isupper():
                # An HTTP method begins with an upper-case letter; read no more of it.
                self._hand_over(self._server.misdirected_connection, None)
            else:
                self._reset()
            return
        if self._hello is None:
            self._hello = PartialHello()
        wanted = self._hello.bytes_to_wait_for(arrived)
        woken_early = len(arrived) < self._wake_bytes
        if wanted > MAX_HELLO_BYTES or (woken_early and self._has_ended()):
            self._reset()
        elif wanted and not woken_early and self._set_wake_bytes(wanted):
            self._wait(self._read_hello)
        else:
            # Complete; or the kernel cannot wait for a number of bytes, and TLS has to wait.
            self._stop_waiting()
            self._hand_over(self._server.connection, self._context)

    def _reset(self) -> None:
        super()._reset()
        self._discard()

    def _discard(self) -> None:
        self._pending.discard(self)
        self._slot.release()

    # The event loop's transport

    def _hand_over(self, new_connection: NewConnection, context: ssl.SSLContext | None) -> None:
        """Start the TLS handshake, or HTTP where there is none."""
        seconds = max(self._deadline - monotonic(), 0.1) if context is not None else None
        self._new_connection = new_connection
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
        return self._new_connection(self._client, self._slot, self._client_known)

    def _connected(self, task: asyncio.Task[object]) -> None:
        self._pending.discard(self)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            self._slot.release()
        if not self._handed_over:
            self._channel.close()
        # A failed handshake (an OSError) is the client's fault: no log line.
        if error is not None and not isinstance(error, OSError):
            log.error("cannot serve %s", self._client, exc_info=error)


def _redacted(data: bytes) -> str:
    return f"'{printable(redact_octets(data), MAX_LOGGED_OCTETS)}'"
