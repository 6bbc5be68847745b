"""The admin socket of a hub's proxy: ``labgate status``, ``reload``, ``upgrade`` and ``stop``.

Tested by tests/hub/test_succession.py.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from datetime import UTC, datetime
from pathlib import Path

from aiohttp import web

from proxy import __version__
from proxy.admin.protection import BASE
from proxy.admin.server import same_user
from proxy.errors import StartError
from proxy.hub.hub_proxy import HubProxy
from proxy.hub.options import HubOptions
from proxy.service.handover import Handover
from proxy.service.status import JupyterStatus, Status, status_of
from proxy.service.unit_name import unit_name

STOP_AFTER_SECONDS = 0.05
"""The answer is sent first."""

NO_JUPYTER = "This labgate is the proxy of a JupyterHub: ask the Hub for that."


class HubInstance:
    """The proxy of a Hub that runs here, as commands see it.

    Args:
        options: What the command line says.
        state_folder: Where commands look for it.
        hub: What runs.
        handover: To a successor.
    """

    def __init__(
        self, options: HubOptions, state_folder: Path, hub: HubProxy, handover: Handover
    ) -> None:
        self._options = options
        self._state_folder = state_folder
        self._hub = hub
        self._handover = handover
        self._since = datetime.now(UTC)

    async def status(self) -> Status:
        """What ``labgate status`` shows (``proxy.service.status``), with the number of routes."""
        options = self._options
        scheme = "https" if options.tls is not None else "http"
        origin = options.public_origin or f"{scheme}://{options.public}"
        about = {
            "version": __version__,
            "command": "hub",
            "pid": os.getpid(),
            "user": _user(),
            "since": self._since.isoformat(timespec="seconds"),
            "service": unit_name(),
            "reload_refused": "",
            "state_folder": str(self._state_folder.absolute()),
            "addresses": [str(origin)],
            "listening": [str(options.public), f"{options.api} (API)"],
            "metrics": str(options.metrics or ""),
            "hub_routes": len(self._hub.table.by_path),
        }
        none = JupyterStatus("", "", "", "", self._since)
        return status_of(
            about, none, await self._hub.reports(), self._hub.certificates(), datetime.now(UTC)
        )

    def routes(self) -> list[web.RouteDef]:
        """What the admin socket answers."""
        api = f"{BASE}api/"

        async def status(_request: web.Request) -> web.Response:
            return web.json_response(await self.status())

        async def stop(_request: web.Request) -> web.Response:
            loop = asyncio.get_running_loop()
            loop.call_later(STOP_AFTER_SECONDS, signal.raise_signal, signal.SIGTERM)
            return web.json_response({})

        async def reload(_request: web.Request) -> web.Response:
            self._hub.reload()
            said = "certificates are read again; everything else is on the command line"
            return web.json_response({"refused": "", "sentences": [said]})

        async def takeover(_request: web.Request) -> web.Response:
            try:
                return web.json_response({"socket": str(self._handover.offer(self._state_folder))})
            except StartError as error:
                return web.json_response({"error": str(error)}, status=409)

        async def upgrade(_request: web.Request) -> web.Response:
            try:
                return web.json_response({"pid": await self._handover.start_successor()})
            except StartError as error:
                return web.json_response({"error": str(error)}, status=409)

        async def other(_request: web.Request) -> web.Response:
            return web.json_response({"error": NO_JUPYTER}, status=409)

        return [
            web.get(api + "status", status),
            web.post(api + "stop", stop),
            web.post(api + "reload", reload),
            web.post(api + "takeover", takeover),
            web.post(api + "upgrade", upgrade),
            web.route("*", "/{path:.*}", other),
        ]


def make_hub_admin_app(instance: HubInstance) -> web.Application:
    """The application of the admin socket."""
    app = web.Application(middlewares=[same_user])
    app.add_routes(instance.routes())
    return app


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
