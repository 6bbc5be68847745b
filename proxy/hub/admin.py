"""The admin socket of a hub's proxy: ``labgate status``, ``inspect``, ``reload`` and others.

Tested by tests/hub/test_admin.py, tests/e2e/test_hub_inspect.py and tests/hub/test_succession.py.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from proxy import __version__
from proxy.admin.protection import BASE
from proxy.admin.replay import Replay
from proxy.admin.server import AdminServer
from proxy.admin.sessions import kept_key
from proxy.errors import StartError
from proxy.hub.destinations import hub_destination_of
from proxy.hub.hub_proxy import HubProxy
from proxy.hub.options import HubOptions
from proxy.hub.sites import public_origin
from proxy.inspector.explanation_log import ExplanationLog
from proxy.inspector.mends import mend_facts
from proxy.service.handover import Handover
from proxy.service.status import JupyterStatus, Status, status_of
from proxy.service.unit_name import unit_name

STOP_AFTER_SECONDS = 0.05
"""The answer is sent first."""

PAGE_ADDRESS = ("127.0.0.1", 0)
"""Of the inspector's page: any port, when somebody asks for it."""

NO_JUPYTER = "This labgate is the proxy of a JupyterHub: ask the Hub for that."


class HubInstance:
    """The proxy of a Hub that runs here, as commands see it.

    Attributes:
        options: What the command line says.
        state_folder: Where commands look for it.
        hub: What runs.

    Args:
        options: The attribute.
        state_folder: The attribute.
        hub: The attribute.
        handover: To a successor.
    """

    def __init__(
        self, options: HubOptions, state_folder: Path, hub: HubProxy, handover: Handover
    ) -> None:
        self.options = options
        self.state_folder = state_folder
        self.hub = hub
        self._handover = handover
        self._since = datetime.now(UTC)

    @property
    def address(self) -> str:
        """Where people open it, as far as that is known."""
        scheme = "https" if self.options.tls is not None else "http"
        return str(self.options.public_origin or f"{scheme}://{self.options.public}")

    async def status(self) -> Status:
        """What ``labgate status`` shows (``proxy.service.status``), with the number of routes."""
        options = self.options
        about = {
            "version": __version__,
            "command": "hub",
            "pid": os.getpid(),
            "user": _user(),
            "since": self._since.isoformat(timespec="seconds"),
            "service": unit_name(),
            "reload_refused": "",
            "state_folder": str(self.state_folder.absolute()),
            "addresses": [self.address],
            "listening": [str(options.public), f"{options.api} (API)"],
            "metrics": str(options.metrics or ""),
            "hub_routes": len(self.hub.table.by_path),
        }
        none = JupyterStatus("", "", "", "", self._since)
        return status_of(
            about, none, await self.hub.reports(), self.hub.certificates(), datetime.now(UTC)
        )

    def commands(self) -> list[web.RouteDef]:
        """What the admin socket alone answers."""
        api = f"{BASE}api/"

        async def status(_request: web.Request) -> web.Response:
            return web.json_response(await self.status())

        async def stop(_request: web.Request) -> web.Response:
            loop = asyncio.get_running_loop()
            loop.call_later(STOP_AFTER_SECONDS, signal.raise_signal, signal.SIGTERM)
            return web.json_response({})

        async def reload(_request: web.Request) -> web.Response:
            self.hub.reload()
            said = "certificates are read again; everything else is on the command line"
            return web.json_response({"refused": "", "sentences": [said]})

        async def takeover(_request: web.Request) -> web.Response:
            try:
                return web.json_response({"socket": str(self._handover.offer(self.state_folder))})
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


def make_hub_admin(instance: HubInstance) -> AdminServer:
    """What answers on the admin socket, and has the inspector's page."""
    options, hub = instance.options, instance.hub
    site = public_origin(options)

    def about() -> dict[str, Any]:
        count = len(hub.table.by_path)
        return {
            "site": instance.address,
            "upstream": f"{count} route{'s' * (count != 1)} of the Hub",
            "observe": False,
            "listens": "",
            "workers": options.workers,
            "pid": os.getpid(),
            "own_token": False,
            "routes": [],
        }

    replay = Replay(
        hub.inspector,
        hub.replay,
        lambda host, target: hub_destination_of(options, hub.table, host, target),
        lambda: "",
    )
    hub.inspector.ring.listen(ExplanationLog(), failures=True)
    return AdminServer(
        hub.inspector,
        replay,
        about,
        lambda _route: mend_facts(site, None),
        PAGE_ADDRESS,
        key=kept_key(instance.state_folder),
        commands=instance.commands(),
        # A hub's proxy reads no labgate.toml.
        no_lines_for={"labgate"},
    )


def _user() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())
