"""The listener of an application that is no client's: the Hub's API, and the metrics.

Tested by tests/hub/test_listeners.py and tests/hub/test_succession.py.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from proxy.net.listener import KEEPS_PATH
from proxy.net.ports import BACKLOG

SHUTDOWN_SECONDS = 0.5
ARRIVAL_SECONDS = 0.5
"""For the first request of a connection that has just been accepted."""
FORGOTTEN_CONNECTIONS = 100
"""How many that have ended may be remembered before they are looked for."""


class AppListener:
    """Serves an aiohttp application on sockets.

    Args:
        make_app: Makes the application, each time that it is opened.
        context: For TLS; None serves plain HTTP.
        shutdown_seconds: How long requests in progress have when it is closed.
        arrival_seconds: How long the first request of a connection has then, which may be on its
            way.
    """

    def __init__(
        self,
        make_app: Callable[[], web.Application],
        context: ssl.SSLContext | None = None,
        shutdown_seconds: float = SHUTDOWN_SECONDS,
        arrival_seconds: float = ARRIVAL_SECONDS,
    ) -> None:
        self._make_app = make_app
        self._context = context
        self._shutdown_seconds = shutdown_seconds
        self._arrival_seconds = arrival_seconds
        self._answered: set[RequestHandler] = set()
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
        app = self._make_app()
        app.on_response_prepare.append(self._note_answer)
        self._runner = web.AppRunner(
            app,
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
            if not self._answered.issuperset(self._connections()):
                # aiohttp closes those without a request, and one may be on its way.
                await asyncio.sleep(self._arrival_seconds)
            await self._runner.cleanup()
            self._runner = None
            self._answered.clear()

    async def _note_answer(self, request: web.Request, _: web.StreamResponse) -> None:
        self._answered.add(request.protocol)
        connections = self._connections()
        if len(self._answered) > 2 * len(connections) + FORGOTTEN_CONNECTIONS:
            self._answered.intersection_update(connections)

    def _connections(self) -> list[RequestHandler]:
        server = self._runner.server if self._runner is not None else None
        return [] if server is None else server.connections
