"""The requests without a complete response, and the open WebSockets."""

from __future__ import annotations

import asyncio

from proxy.observe.record import Record
from proxy.proxying.tunnel import OpenTunnel


class OpenRequests:
    """Counts what is open, and tells when a drain is over.

    Attributes:
        count: The open requests, tunnels included. Their handlers change it themselves, because a
            call costs each request more than the rest of the count.
        tunnels: The open WebSockets, with their records. A drain does not wait for them.
        draining: Whether ``drained`` waits; then every change is followed by ``check_drained``.
    """

    def __init__(self) -> None:
        self.count = 0
        self.tunnels: dict[OpenTunnel, Record] = {}
        self.draining = False
        self._drained = asyncio.Event()

    def add_tunnel(self, tunnel: OpenTunnel, record: Record) -> None:
        """A request has become a tunnel."""
        self.tunnels[tunnel] = record
        self.check_drained()

    def check_drained(self) -> None:
        """End the wait of ``drained`` if only tunnels are open."""
        if self.count <= len(self.tunnels):
            self._drained.set()

    async def drained(self) -> None:
        """Wait until only tunnels are open."""
        self.draining = True
        self._drained.clear()
        self.check_drained()
        await self._drained.wait()
