"""Raw bytes both ways after a 101: frames pass unparsed (the inspector reads a copy).

labgate only follows where frames end, for the pings of ``tunnel_keepalive``.

Close codes, pings, fragmentation and extensions pass unchanged, and so do FIN and RST, both
ways. There is no idle timeout, because Jupyter's sockets for events and collaboration are
silent for hours.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from proxy.messages import RawConnection
from proxy.net.reset import reset, unread
from proxy.proxying.activity import Activity
from proxy.proxying.tunnel_keepalive import TunnelKeepalive


class OpenTunnel(asyncio.Protocol):
    """The upstream's protocol after the 101, and the client's ``messages.TunnelEnd``.

    Attributes:
        bytes_up: Bytes from client to Jupyter.
        bytes_down: Bytes from Jupyter to client.
        keepalive: Pings the client where nothing passes; None for no pings.

    Args:
        upstream: Jupyter's side; this object owns it from now on.
        client: The client's side.
        closed: Called once, when both sides are done.
    """

    __slots__ = (
        "_client",
        "_client_congested",
        "_client_ended",
        "_closed",
        "_half_closes",
        "_jupyter_ended",
        "_upstream",
        "bytes_down",
        "bytes_up",
        "keepalive",
    )

    def __init__(
        self,
        upstream: asyncio.Transport,
        client: RawConnection,
        closed: Callable[[OpenTunnel], None],
    ) -> None:
        self._upstream = upstream
        # TLS allows a half-close (RFC 8446 section 6.1), but Python's TLS transport does not.
        self._half_closes = upstream.can_write_eof()
        self._client = client
        self._closed: Callable[[OpenTunnel], None] | None = closed
        self.bytes_up = 0
        self.bytes_down = 0
        self.keepalive: TunnelKeepalive | None = None
        self._client_congested = False
        self._client_ended = False
        self._jupyter_ended = False

    def ping_if_silent(self, now: float, silent_seconds: float) -> None:
        """Ping the client if no byte has passed for so long, and if a frame may begin.

        Args:
            now: ``time.monotonic()``.
            silent_seconds: How long.
        """
        ending = self._client_ended or self._jupyter_ended or self._upstream.is_closing()
        if self.keepalive is None or ending or self._client_congested:
            return
        passed = self.bytes_up + self.bytes_down
        if frame := self.keepalive.due_ping(passed, now, silent_seconds):
            self._client.write(frame)

    def open(self, rest: bytes) -> None:
        """Join the two sides; ``rest`` is what came right behind the 101."""
        if rest:
            self.data_received(rest)
        self._upstream.set_protocol(self)
        if not self._upstream.is_reading():
            self._upstream.resume_reading()
        # Last: it pauses again at once when ``rest`` was more than the client takes.
        self._client.start(self)

    def abort(self) -> None:
        """Cut both sides without a close frame: Lab then reconnects (close code 1006)."""
        reset(self._upstream)
        self._client.abort()

    # From Jupyter (asyncio.Protocol)

    def data_received(self, data: bytes) -> None:
        self.bytes_down += len(data)
        if self.keepalive is not None:
            self.keepalive.down.walk(data)
        self._client.write(data)

    def eof_received(self) -> bool:
        self._jupyter_ended = True
        return self._client.write_eof() and not self._both_ended() and self._half_closes

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._client.finish()
        else:
            # A failed write closes the transport at once, even if data from Jupyter is unread.
            if rest := unread(self._upstream):
                self.data_received(rest)
            # In the next turn, after the transport has written the data passed to it in this one.
            asyncio.get_running_loop().call_soon(self._client.abort)
        self._settle()

    def pause_writing(self) -> None:
        self._client.pause_reading()

    def resume_writing(self) -> None:
        self._client.resume_reading()

    # From the client (messages.TunnelEnd)

    def feed_data(self, data: bytes) -> None:
        keepalive = self.keepalive
        if keepalive is not None:
            if keepalive.waiting:
                data = keepalive.without_pongs(data)
            else:
                keepalive.up.walk(data)
        self.bytes_up += len(data)
        # uvloop raises on a write to a closed transport.
        if data and not self._upstream.is_closing():
            self._upstream.write(data)

    def feed_eof(self) -> None:
        self._client_ended = True
        if self._upstream.is_closing() or self._both_ended():
            return
        if self.keepalive is not None and (held := self.keepalive.up.held):
            self._upstream.write(held)
        if not self._half_closes:
            self._upstream.close()
            return
        with suppress(OSError):
            self._upstream.write_eof()

    def client_lost(self, exc: Exception | None) -> None:
        if exc is None:
            self._upstream.close()
        else:
            reset(self._upstream)
        self._settle()

    def client_congested(self, congested: bool) -> None:
        self._client_congested = congested
        if self._upstream.is_closing():
            return
        if congested:
            self._upstream.pause_reading()
        else:
            self._upstream.resume_reading()

    def _both_ended(self) -> bool:
        """Two half-closed sides are one closed connection; asyncio would leave it open."""
        if self._client_ended and self._jupyter_ended:
            self._upstream.close()
        return self._client_ended and self._jupyter_ended

    def _settle(self) -> None:
        closed, self._closed = self._closed, None
        if closed is not None:
            closed(self)


class WatchedTunnel(OpenTunnel):
    """A tunnel that records when data passes.

    Args:
        upstream: As for ``OpenTunnel``.
        client: The same.
        closed: The same.
        activity: Records it.
    """

    __slots__ = ("_activity",)

    def __init__(
        self,
        upstream: asyncio.Transport,
        client: RawConnection,
        closed: Callable[[OpenTunnel], None],
        activity: Activity,
    ) -> None:
        super().__init__(upstream, client, closed)
        self._activity = activity

    def data_received(self, data: bytes) -> None:
        self._activity.on_data()
        super().data_received(data)

    def feed_data(self, data: bytes) -> None:
        self._activity.on_data()
        super().feed_data(data)
