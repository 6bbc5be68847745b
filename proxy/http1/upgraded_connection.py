"""A client's connection after a 101 (Switching Protocols): bytes without framing.

Tested by tests/http1/test_server_connection.py and tests/wire/test_tunnels.py.
"""

from __future__ import annotations

from proxy.http1.accepted_connection import AcceptedConnection
from proxy.messages import TunnelEnd


class UpgradedConnection(AcceptedConnection):
    """Passes the client's bytes to a ``TunnelEnd`` (``messages.RawConnection``).

    Args:
        previous: Spoke HTTP over the connection; from here on the transport calls this object.
        early_bytes: What the client sent behind the request, before it got the 101.
    """

    __slots__ = ("_early_bytes", "_tunnel_end")

    def __init__(self, previous: AcceptedConnection, early_bytes: bytes) -> None:
        super().__init__(previous._server, previous.client, previous._slot)
        self.transport = previous.transport
        self.congested = previous.congested
        self._half_closed = previous._half_closed
        self._reading_paused = previous._reading_paused
        self._sliced_bytes_left = previous._sliced_bytes_left
        self._early_bytes = early_bytes
        self._tunnel_end: TunnelEnd | None = None
        self._server.connections.add(self)
        self._server.connections.discard(previous)
        if self.transport is not None:
            self.transport.set_protocol(self)

    def start(self, end: TunnelEnd) -> None:
        """From here on pass the client's bytes to ``end``."""
        self._tunnel_end = end
        if self.congested:
            end.client_congested(True)
        early_bytes, self._early_bytes = self._early_bytes, b""
        if early_bytes:
            self.resume_reading()
            end.feed_data(early_bytes)
        if self._half_closed:
            end.feed_eof()

    # asyncio.Protocol

    def data_received(self, data: bytes) -> None:
        if self._tunnel_end is None:
            self._early_bytes += data
        else:
            self._tunnel_end.feed_data(data)

    def eof_received(self) -> bool:
        self._half_closed = True
        if self._tunnel_end is not None:
            self._tunnel_end.feed_eof()
        return self.transport is not None and self.transport.can_write_eof()

    def pause_writing(self) -> None:
        self._set_congested(True)

    def resume_writing(self) -> None:
        self._set_congested(False)

    def _set_congested(self, congested: bool) -> None:
        self.congested = congested
        if self._tunnel_end is not None:
            self._tunnel_end.client_congested(congested)

    def connection_lost(self, exc: Exception | None) -> None:
        self._unregister()
        end, self._tunnel_end = self._tunnel_end, None
        if end is not None:
            end.client_lost(exc)
