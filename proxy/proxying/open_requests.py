"""The requests without a complete response, and the open WebSockets."""

from __future__ import annotations

import asyncio

from proxy.proxying.tunnel import OpenTunnel


class OpenRequests:
    """Counts what is open, and tells when a drain is over.

    Attributes:
        count: The open requests, tunnels included. Their handlers change it themselves, because a
            call costs each request more than the rest of the count.
        tunnels: The open WebSockets. A drain does not wait for them.
        draining: Whether ``drained`` waits; then every change is followed by ``check_drained``.
    """

    def __init__(self) -> None:
        self.count = 0
        self.tunnels: set[OpenTunnel] = set()
        self.draining = False
        self._drained = asyncio.Event()

    def add_tunnel(self, tunnel: OpenTunnel) -> None:
        """A request has become a tunnel."""
        self.tunnels.add(tunnel)
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
