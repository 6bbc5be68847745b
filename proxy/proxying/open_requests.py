"""The requests without a complete response, and the open WebSockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from proxy.messages import RawConnection
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

    def open_tunnel(
        self,
        upstream: asyncio.Transport,
        client: RawConnection,
        rest: bytes,
        record: Record,
        on_end: Callable[[], None],
    ) -> None:
        """A request has become a tunnel: join both sides, and count what passes.

        Args:
            upstream: Its side of the connection.
            client: The client's side.
            rest: What the upstream has sent already.
            record: Gets the bytes that passed.
            on_end: Called when the tunnel is closed and they are known.
        """
        tunnel = OpenTunnel(upstream, client, partial(self._on_tunnel_closed, record, on_end))
        self.tunnels[tunnel] = record
        self.check_drained()
        try:
            tunnel.open(rest)
        except BaseException:
            # A drain would take it for one of the open requests that need no waiting for.
            self.tunnels.pop(tunnel, None)
            raise

    def _on_tunnel_closed(
        self, record: Record, on_end: Callable[[], None], tunnel: OpenTunnel
    ) -> None:
        self.tunnels.pop(tunnel, None)
        record.bytes_up += tunnel.bytes_up
        record.bytes_down += tunnel.bytes_down
        on_end()

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
