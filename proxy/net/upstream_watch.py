"""An idle connection that ends when Jupyter does, or may have ended.

Tested by tests/proxying/test_pool.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from proxy.net.keepalive import keep_alive


class UpstreamWatch(asyncio.Protocol):
    """Open for as long as what listens at the upstream's address is the same process.

    Args:
        on_lost: Called once when it ends or is ended; not after ``close``.
    """

    def __init__(self, on_lost: Callable[[], None]) -> None:
        self._on_lost: Callable[[], None] | None = on_lost
        self._transport: asyncio.Transport | None = None

    @property
    def open(self) -> bool:
        """Whether Jupyter has not ended it."""
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        keep_alive(transport.get_extra_info("socket"))

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        on_lost, self._on_lost = self._on_lost, None
        if on_lost is not None:
            on_lost()

    def end(self) -> None:
        """End it because Jupyter has moved, or because another connection to it was lost."""
        on_lost = self._on_lost
        self.close()
        if on_lost is not None:
            on_lost()

    def close(self) -> None:
        """Close it without calling ``on_lost``."""
        self._on_lost = None
        if self._transport is not None:
            self._transport.abort()
