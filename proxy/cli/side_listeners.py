"""What is served beside the public ports: metrics, and the admin socket."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from proxy.admin.socket_path import socket_path
from proxy.admin.unix_socket import bind_private, remove_private
from proxy.config.addresses import host_and_port
from proxy.config.routes import served_routes, site_route
from proxy.errors import StartError
from proxy.inspector.explanation_log import ExplanationLog
from proxy.jupyter.readiness import is_ready
from proxy.net.ports import bind
from proxy.routes.probes import routes_answer
from proxy.runtime.daemon_thread import run_in_daemon_thread
from proxy.runtime.tasks import spawn
from proxy.service.handover import Handover
from proxy.service.lifetime import Lifetime
from proxy.service.live_configuration import LiveConfiguration, Serving

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from proxy.admin.server import AdminServer
    from proxy.service.instance import Instance

log = logging.getLogger("labgate")

ADMIN_DELAY_SECONDS = 1.0
"""Loading aiohttp earlier would delay the opening of the ports by milliseconds."""


async def with_side_listeners(
    configuration: LiveConfiguration,
    app: Serving,
    lifetime: Lifetime,
    work: Coroutine[Any, Any, None],
) -> None:
    """Run ``work``, and serve the rest meanwhile.

    Args:
        configuration: In force.
        app: What serves.
        lifetime: Has the sockets of a predecessor, and gets those for a successor.
        work: Ends with labgate.
    """
    serving = _with_metrics(configuration, app, lifetime, work)
    await _with_admin(configuration, app, lifetime, serving)


async def _with_admin(
    configuration: LiveConfiguration,
    app: Serving,
    lifetime: Lifetime,
    work: Coroutine[Any, Any, None],
) -> None:
    """Run ``work``, and serve the admin socket meanwhile.

    It listens from the beginning: a command that comes too early waits for its answer.
    """
    listening = lifetime.passed_socket("admin")
    if listening is None:
        listening = _bind_admin_socket(configuration)
    if listening is not None:
        lifetime.handover.sockets["admin"] = listening
    instance = partial(_instance, configuration, app, lifetime.handover, datetime.now(UTC))
    starting = spawn(_start_admin_later(configuration, app, instance, listening), "admin socket")
    informing = spawn(_keep_informed(instance), "service manager")
    try:
        await work
    finally:
        informing.cancel()
        starting.cancel()
        await asyncio.wait({starting})
        if not starting.cancelled() and starting.exception() is None:
            await starting.result().stop(keep_socket=lifetime.is_shared)
        elif listening is not None and lifetime.is_shared:
            listening.close()
        elif listening is not None:
            remove_private(listening)
        if lifetime.is_shared and not configuration.settings.log.show_headers:
            # Whoever opens the inspector gets the other labgate's. This process may live on for
            # hours, for its WebSockets.
            app.inspector.end()


def _bind_admin_socket(configuration: LiveConfiguration) -> socket.socket | None:
    """The admin socket; labgate runs without it, too."""
    try:
        return bind_private(socket_path(configuration.settings.state_folder))
    except StartError as error:
        spawn(_warn_when_ready(configuration.ready, str(error)), "no admin socket")
        return None


async def _warn_when_ready(ready: asyncio.Event, reason: str) -> None:
    """Say that there is no admin socket, unless the start fails: then its error says it all."""
    await ready.wait()
    log.warning(
        "no admin socket: %s `labgate status` and the like do not find this labgate.", reason
    )


def _instance(
    configuration: LiveConfiguration, app: Serving, handover: Handover, since: datetime
) -> Instance:
    from proxy.service.instance import Instance  # noqa: PLC0415  not before it is needed

    return Instance(configuration, app, since, handover)


async def _keep_informed(instance: Callable[[], Instance]) -> None:
    """Tell the service manager how labgate is, if there is one."""
    if os.environ.get("NOTIFY_SOCKET"):
        from proxy.service.service_manager import keep_informed  # noqa: PLC0415  see above

        await keep_informed(instance().status)


async def _start_admin_later(
    configuration: LiveConfiguration,
    app: Serving,
    instance: Callable[[], Instance],
    listening: socket.socket | None,
) -> AdminServer:
    """Serve the admin socket, some time after the ports have opened."""
    await asyncio.sleep(ADMIN_DELAY_SECONDS)
    await run_in_daemon_thread("aiohttp", lambda: import_module("aiohttp.web"))
    from proxy.cli.administration import start_admin  # noqa: PLC0415  see above

    if not configuration.settings.log.show_headers:
        # That shows the same, and the heads.
        app.inspector.ring.listen(ExplanationLog(), failures=True)
    return await start_admin(configuration, app, instance(), listening)


async def _with_metrics(
    configuration: LiveConfiguration,
    app: Serving,
    lifetime: Lifetime,
    work: Coroutine[Any, Any, None],
) -> None:
    """Run ``work``, and export metrics meanwhile if they are configured."""
    settings = configuration.settings
    if not settings.listen.metrics:
        await work
        return
    from proxy.web.metrics import serve_metrics  # noqa: PLC0415  0.3 s

    with closing(work):  # if the port is not available, it was never awaited
        host, port = host_and_port(settings.listen.metrics)
        listening = lifetime.passed_socket("metrics", port)
        if listening is None:
            (listening,) = bind([host], port, "--metrics", address_flag="--metrics")
        lifetime.handover.sockets["metrics"] = listening
        async with serve_metrics(host, _scrape_of(configuration, app), listening):
            await work


def _scrape_of(
    configuration: LiveConfiguration, app: Serving
) -> Callable[[], Awaitable[list[Metric]]]:
    """The function that collects the current metrics."""
    from proxy.observe.metrics import JupyterState, metrics_of  # noqa: PLC0415  see above
    from proxy.web.health import Readiness  # noqa: PLC0415

    async def answers() -> bool:
        if not configuration.settings.site_has_jupyter:
            return all((await up_by_name()).values())
        return app.upstream is not None and await is_ready(app.upstream)

    async def up_by_name() -> dict[str, bool]:
        routes = served_routes(configuration.settings)
        each = await routes_answer(routes)
        return {route.name: up for route, up in zip(routes, each, strict=True)}

    ready = Readiness(answers)

    async def scrape() -> list[Metric]:
        (counts, now), is_up, routes = await asyncio.gather(app.measured(), ready(), up_by_name())
        settings = configuration.settings
        if routes and settings.site_has_jupyter:
            routes = {site_route(settings).name: is_up, **routes}
        jupyter = JupyterState(is_up, app.jupyter.phase, app.jupyter.restarts)
        certificates = app.certificates.managed if app.certificates is not None else ()
        return metrics_of(counts, now, jupyter, certificates, routes)

    return scrape
