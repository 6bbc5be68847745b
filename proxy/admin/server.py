"""The admin listeners: a Unix socket for commands, and a loopback port for the page."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from proxy.admin.app import make_admin_app
from proxy.admin.protection import BASE, local_authorities, protect
from proxy.admin.replay import Replay
from proxy.admin.sessions import AdminSessions
from proxy.admin.unix_socket import peer_uid
from proxy.errors import StartError
from proxy.inspector.inspector import Inspector
from proxy.net.ports import bind
from proxy.rules.authority import host_with_port

SHUTDOWN_SECONDS = 0.5


class AdminServer:
    """Serves the inspector to people and commands on this machine.

    Args:
        inspector: Captures, and holds what was captured.
        replay: Sends requests again.
        about: Facts for the page's head.
        facts: As ``ExchangesApi``'s.
        address: A loopback address and a port for the page; port 0 takes any.
        key: Of the page's sessions; a random one if it is empty.
        commands: Calls that only the socket has.
        no_lines_for: Servers that are not configured by lines.
    """

    def __init__(
        self,
        inspector: Inspector,
        replay: Replay,
        about: Callable[[], dict[str, Any]],
        facts: Callable[[str], Mapping[str, str]],
        address: tuple[str, int],
        *,
        key: str = "",
        commands: Sequence[web.RouteDef] = (),
        no_lines_for: Collection[str] = (),
    ) -> None:
        self._inspector = inspector
        self._replay = replay
        self._about = about
        self._facts = facts
        self._address = address
        self._commands = commands
        self._no_lines_for = no_lines_for
        self._runners: list[web.AppRunner] = []
        self._sockets: list[socket.socket] = []
        self._path: Path | None = None
        self._page = ""
        self._opening = asyncio.Lock()
        self._sessions = AdminSessions(key)

    async def serve_socket(self, listening: socket.socket) -> None:
        """Serve commands on a socket that ``bind_private`` made; ``stop`` removes it."""
        self._path = Path(listening.getsockname())
        app = self._app(same_user)
        app.router.add_post(BASE + "api/page", self._open_page)
        app.add_routes(self._commands)
        await self._serve(app, listening)

    async def open_page(self) -> str:
        """Serve the page, if nobody has asked for it yet; returns its address, with the token.

        Raises:
            StartError: The port is not available.
        """
        async with self._opening:
            if not self._page:
                self._page = await self._serve_page()
        return self._page

    async def _serve_page(self) -> str:
        host, key = self._address[0], "inspector.address"
        (listening,) = bind([host], self._address[1], key, address_flag=key)
        port = int(listening.getsockname()[1])
        await self._serve(self._app(protect(self._sessions, local_authorities(port))), listening)
        return f"http://{host_with_port(host, port)}{BASE}?token={self._sessions.token}"

    async def stop(self, *, keep_socket: bool = False) -> None:
        """Close the listeners and every connection.

        Args:
            keep_socket: Another labgate listens at the same path.
        """
        for runner in self._runners:
            await runner.cleanup()
        for listening in self._sockets:
            listening.close()
        if self._path is not None and not keep_socket:
            self._path.unlink(missing_ok=True)

    def _app(self, protection: Middleware) -> web.Application:
        return make_admin_app(
            self._inspector,
            self._replay,
            protection,
            self._about,
            self._facts,
            no_lines_for=self._no_lines_for,
        )

    async def _serve(self, app: web.Application, listening: socket.socket) -> None:
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=SHUTDOWN_SECONDS
        )
        self._runners.append(runner)
        self._sockets.append(listening)
        await runner.setup()
        await web.SockSite(runner, listening).start()

    async def _open_page(self, _request: web.Request) -> web.Response:
        try:
            return web.json_response({"address": await self.open_page()})
        except StartError as error:
            return web.json_response({"error": str(error)}, status=409)


@web.middleware
async def same_user(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let only labgate's own user and root in."""
    connection = request.transport.get_extra_info("socket") if request.transport else None
    uid = peer_uid(connection) if connection is not None else -1
    if uid not in (None, 0, os.getuid()):
        return web.Response(status=403, text="This socket is another user's.\n")
    return await handler(request)
