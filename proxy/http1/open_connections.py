"""The open connections of a server, and how they end together."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Protocol, TypeVar


class EndableConnection(Protocol):
    """A connection that a server can end."""

    def end(self) -> None:
        """Send what is queued, then close."""


C = TypeVar("C", bound=EndableConnection)


class OpenConnections(set[C]):
    """The connections of a server that are open. A connection adds itself."""

    def __init__(self) -> None:
        super().__init__()
        self._empty: asyncio.Event | None = None

    def lost(self, connection: C) -> None:
        """Forget a connection that is closed."""
        self.discard(connection)
        if self._empty is not None and not self:
            self._empty.set()

    async def end(self, timeout: float) -> None:
        """End every connection, and wait until they are closed.

        Args:
            timeout: Seconds for connections that still have to send what is queued.
        """
        self._empty = asyncio.Event()
        for connection in list(self):
            connection.end()
        if self:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._empty.wait()
