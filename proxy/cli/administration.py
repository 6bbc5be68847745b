"""The admin socket of a running labgate: what it tells, and what it can do.

Tested by tests/e2e/test_inspect.py.
"""

from __future__ import annotations

import os
from typing import Any, TypeAlias

from proxy.admin.replay import Replay
from proxy.admin.server import AdminServer
from proxy.admin.socket_path import socket_path
from proxy.app import Application
from proxy.config.settings import Settings
from proxy.config.types import host_and_port
from proxy.workers.supervisor import Supervisor

Serving: TypeAlias = Application | Supervisor


async def start_admin(settings: Settings, app: Serving) -> AdminServer:
    """Serve the admin socket in the state folder; the page waits until somebody asks for it."""
    site = settings.origins[0]

    def about() -> dict[str, Any]:
        return {
            "site": str(site),
            "upstream": str(app.upstream or "no Jupyter yet"),
            "observe": settings.inspector.observe,
            "workers": settings.listen.workers,
            "pid": os.getpid(),
        }

    replay = Replay(
        app.inspector,
        app.dispatch,
        lambda: app.upstream,
        site.authority,
        lambda: app.jupyter_token,
    )
    server = AdminServer(app.inspector, replay, about, host_and_port(settings.inspector.address))
    await server.listen_on_socket(socket_path(settings.state_folder))
    return server
