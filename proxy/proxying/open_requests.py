"""The requests without a complete response, and the open WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from proxy.messages import RawConnection
from proxy.observe.record import Record
from proxy.proxying.activity import Activity
from proxy.proxying.result import Switched
from proxy.proxying.tunnel import OpenTunnel, WatchedTunnel
from proxy.proxying.tunnel_keepalive import TunnelKeepalive
from proxy.runtime.tasks import yielding_to_others

MAX_CHECK_SECONDS = 5.0
"""How late a ping may be: checking thousands of tunnels more often would cost CPU time."""


class OpenRequests:
    """Counts open requests and tunnels; a drain waits for the requests.

    Attributes:
        count: The open requests, tunnels included. Their handlers change it themselves, because a
            call costs each request more than the rest of the count.
        tunnels: The open WebSockets, with their records. A drain does not wait for them.
        ping_seconds: How long a WebSocket is silent before labgate pings its client; 0 for no
            pings. It counts for those that are opened from now on.
        draining: Whether ``drained`` waits; then every change is followed by ``check_drained``.
    """

    def __init__(self) -> None:
        self.count = 0
        self.tunnels: dict[OpenTunnel, Record] = {}
        self.ping_seconds = 0.0
        self._pings_checked_at = 0.0
        self.draining = False
        self._drained = asyncio.Event()

    def open_tunnel(
        self,
        switched: Switched,
        client: RawConnection,
        record: Record,
        on_end: Callable[[], None],
        activity: Activity | None = None,
    ) -> None:
        """A request has become a tunnel: join both sides, and count what passes.

        Args:
            switched: The upstream's side, and what it has sent already.
            client: The client's side.
            record: Gets the bytes that passed.
            on_end: Called when the tunnel is closed and they are known.
            activity: Records when data passes; None records nothing.
        """
        closed = partial(self._on_tunnel_closed, record, on_end)
        tunnel = OpenTunnel(switched.upstream, client, closed)
        if activity is not None:
            tunnel = WatchedTunnel(switched.upstream, client, closed, activity)
        if self.ping_seconds:
            tunnel.keepalive = TunnelKeepalive()
        self.tunnels[tunnel] = record
        self.check_drained()
        try:
            tunnel.open(switched.rest)
        except BaseException:
            # drained() would count it as a tunnel, and end before this request has.
            self.tunnels.pop(tunnel, None)
            raise

    def _on_tunnel_closed(
        self, record: Record, on_end: Callable[[], None], tunnel: OpenTunnel
    ) -> None:
        self.tunnels.pop(tunnel, None)
        record.bytes_up += tunnel.bytes_up
        record.bytes_down += tunnel.bytes_down
        on_end()

    async def ping_silent(self, now: float) -> None:
        """Ping the clients of silent WebSockets; one timer calls this for all of them.

        Args:
            now: ``time.monotonic()``.
        """
        seconds = self.ping_seconds
        if not seconds or now - self._pings_checked_at < min(seconds / 10, MAX_CHECK_SECONDS):
            return
        self._pings_checked_at = now
        async for tunnel in yielding_to_others(self.tunnels):
            tunnel.ping_if_silent(now, seconds)

    def check_drained(self) -> None:
        """End the wait of ``drained`` if only tunnels are open."""
        if self.count <= len(self.tunnels):
            self._drained.set()

    async def drain(self, seconds: float, force: asyncio.Event | None = None) -> None:
        """Wait until only tunnels are open, ``seconds`` at most, or until ``force`` is set."""
        endings: list[asyncio.Future[Any]] = [asyncio.ensure_future(self.drained())]
        if force is not None:
            endings.append(asyncio.ensure_future(force.wait()))
        _, pending = await asyncio.wait(
            endings, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for ending in pending:
            ending.cancel()

    async def drained(self) -> None:
        """Wait until only tunnels are open."""
        self.draining = True
        self._drained.clear()
        self.check_drained()
        await self._drained.wait()
