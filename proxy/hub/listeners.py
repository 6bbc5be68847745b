"""The listener of an application that is no client's: the Hub's API, and the metrics.

Tested by tests/hub/test_listeners.py and tests/hub/test_succession.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

from aiohttp import web

from proxy.net.listener import KEEPS_PATH
from proxy.net.ports import BACKLOG

SHUTDOWN_SECONDS = 0.5
ARRIVAL_SECONDS = 0.5
"""For the first request of a connection that has just been accepted."""


class AppListener:
    """Serves an aiohttp application on sockets.

    Args:
        make_app: Makes the application, each time that it is opened.
        context: For TLS; None serves plain HTTP.
        shutdown_seconds: How long requests in progress have when it is closed.
    """

    def __init__(
        self,
        make_app: Callable[[], web.Application],
        context: ssl.SSLContext | None = None,
        shutdown_seconds: float = SHUTDOWN_SECONDS,
    ) -> None:
        self._make_app = make_app
        self._context = context
        self._shutdown_seconds = shutdown_seconds
        self._runner: web.AppRunner | None = None
        self._servers: list[asyncio.Server] = []

    async def open(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections.

        Args:
            sockets: They listen already, and are this object's from here on. Without one nothing
                is made, nor loaded for it.
        """
        if not sockets:
            return
        loop = asyncio.get_running_loop()
        self._runner = web.AppRunner(
            self._make_app(),
            access_log=None,
            handle_signals=False,
            shutdown_timeout=self._shutdown_seconds,
        )
        await self._runner.setup()
        server = self._runner.server
        assert server is not None, "setup makes it"
        for one in sockets:
            if one.family == socket.AF_UNIX:
                listening = await loop.create_unix_server(
                    server, sock=one, ssl=self._context, backlog=BACKLOG, **KEEPS_PATH
                )
            else:
                listening = await loop.create_server(
                    server, sock=one, ssl=self._context, backlog=BACKLOG
                )
            self._servers.append(listening)

    async def close(self) -> None:
        """Accept nothing new, and finish what is in progress; idle connections are closed."""
        for listening in self._servers:
            listening.close()
        self._servers.clear()
        if self._runner is not None:
            if self._runner.server is not None and self._runner.server.connections:
                # aiohttp closes those without a request, and one may be on its way.
                await asyncio.sleep(ARRIVAL_SECONDS)
            await self._runner.cleanup()
            self._runner = None
