"""What is served beside the public ports: metrics, and the admin socket.

Tested by tests/e2e/test_inspect.py and tests/web/test_metrics.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import closing
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypeAlias

from proxy.app import Application
from proxy.config.settings import Settings
from proxy.config.types import host_and_port
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.tasks import spawn

if TYPE_CHECKING:
    from proxy.admin.server import AdminServer
    from proxy.workers.supervisor import Supervisor

Serving: TypeAlias = "Application | Supervisor"

ADMIN_DELAY_SECONDS = 1.0
"""Loading aiohttp would slow down whoever waits for the ports, by milliseconds."""


async def with_side_listeners(
    settings: Settings, app: Serving, work: Coroutine[Any, Any, None]
) -> None:
    """Run ``work``, and serve the rest meanwhile."""
    await _with_admin(settings, app, _with_metrics(settings, app, work))


async def _with_admin(settings: Settings, app: Serving, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work``, and serve the admin socket meanwhile."""
    starting = spawn(_start_admin_later(settings, app), "admin socket")
    try:
        await work
    finally:
        starting.cancel()
        await asyncio.wait({starting})
        if not starting.cancelled() and starting.exception() is None:
            await starting.result().stop()


async def _start_admin_later(settings: Settings, app: Serving) -> AdminServer:
    """Start the admin socket when nobody waits for the ports to open any more."""
    await asyncio.sleep(ADMIN_DELAY_SECONDS)
    await run_in_daemon_thread("aiohttp", lambda: import_module("aiohttp.web"))
    from proxy.cli.administration import start_admin  # noqa: PLC0415  see above

    return await start_admin(settings, app)


async def _with_metrics(settings: Settings, app: Serving, work: Coroutine[Any, Any, None]) -> None:
    """Run ``work``, and export metrics meanwhile if they are configured."""
    if not settings.listen.metrics:
        await work
        return
    from proxy.observe.metrics import collectors_of  # noqa: PLC0415  0.3 s
    from proxy.web.metrics import serve_metrics  # noqa: PLC0415

    with closing(work):  # if the port is not available, it was never awaited
        certificates = app.certificates.managed if app.certificates is not None else ()
        collectors = collectors_of(certificates, app.traffic, app.gauges)
        async with serve_metrics(host_and_port(settings.listen.metrics), collectors):
            await work
