"""Serves the admin socket of a running labgate: its status and its commands.

Tested by tests/cli/test_administration.py and tests/e2e/test_inspect.py.
"""

from __future__ import annotations

import logging
import os
import socket
from functools import partial
from typing import Any

from proxy.admin.replay import Replay, ThroughRules
from proxy.admin.server import AdminServer
from proxy.admin.sessions import kept_key
from proxy.config.addresses import host_and_port
from proxy.config.routes import SITE, served_routes
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.inspector.mends import mend_facts
from proxy.inspector.replay_front import send_through_rules
from proxy.routes.destinations import destination_of
from proxy.service.commands_api import command_routes
from proxy.service.instance import Instance
from proxy.service.live_configuration import LiveConfiguration, Serving
from proxy.workers.supervisor import Supervisor

log = logging.getLogger("labgate")


async def start_admin(
    configuration: LiveConfiguration,
    app: Serving,
    instance: Instance,
    listening: socket.socket | None,
) -> AdminServer:
    """Serve the admin socket, if there is one.

    The page is opened with the first request for it, unless it has a port of its own.
    """
    settings = configuration.settings
    site = settings.origins[0]
    address = host_and_port(settings.inspector.address)

    def about() -> dict[str, Any]:
        return {
            "site": str(site),
            "upstream": str(app.upstream or "no Jupyter yet"),
            "observe": settings.inspector.observe,
            "listens": f"{site.scheme}://localhost:{settings.http_port}",
            "workers": settings.listen.workers,
            "pid": os.getpid(),
            "own_token": bool(app.jupyter.login.token),
            "launched": app.jupyter.launcher is not None,
            "routes": _instead_of_the_site(configuration.settings),
        }

    replay = Replay(
        app.inspector,
        _through_rules(app),
        lambda host, target: destination_of(configuration.settings, app.upstream, host, target),
        lambda: app.jupyter.login.token,
    )
    server = AdminServer(
        app.inspector,
        replay,
        about,
        lambda route: mend_facts_of(configuration.settings, app, route),
        address,
        key=kept_key(settings.state_folder),
        commands=command_routes(instance),
    )
    if listening is not None:
        await server.serve_socket(listening)
    if address[1]:
        await _open_page(server)
    return server


def mend_facts_of(settings: Settings, app: Serving, route: str) -> dict[str, str]:
    """What stands in the lines for an exchange of a route; its name is empty without routes."""
    for one in served_routes(settings):
        if one.name == route and one.key != SITE:
            return mend_facts(one.origins[0], one.address)
    launched = app.jupyter.launcher is not None
    return mend_facts(settings.origins[0], app.upstream, launched=launched)


def _instead_of_the_site(settings: Settings) -> list[str]:
    """Where the Jupyters are if none is at the site itself."""
    if settings.site_has_jupyter:
        return []
    return [route.public_address for route in served_routes(settings)]


def _through_rules(app: Serving) -> ThroughRules:
    """Sends a request as if a client had; of several processes only the workers can."""
    if isinstance(app, Supervisor):
        return app.replay
    return partial(send_through_rules, app.dispatch, app.inspector.ring)


async def _open_page(server: AdminServer) -> None:
    """A page at a known address works again after labgate was restarted."""
    try:
        await server.open_page()
    except StartError as error:
        log.warning("no page of the inspector: %s", error)
