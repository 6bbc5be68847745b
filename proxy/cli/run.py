"""``labgate up`` and ``labgate serve``, from start to stop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager, closing
from typing import Any

from proxy.app import Application
from proxy.builders import bind_ports
from proxy.cli.confirm import confirm_on_terminal
from proxy.cli.ready_lines import print_progress
from proxy.cli.report_ready import report_ready
from proxy.cli.signals import runs_interactively, until_stopped
from proxy.config.routes import served_routes
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.jupyter.launcher import Launched, Launcher, Login
from proxy.jupyter.supervision import Supervision
from proxy.net.upstream_address import UpstreamAddress
from proxy.routes.probes import FIRST_PROBE_SECONDS, awaited
from proxy.runtime.event_loop import loop_factory
from proxy.runtime.sd_notify import sd_notify
from proxy.runtime.tasks import spawn
from proxy.service.container_end import container_obstacle
from proxy.service.lifetime import Lifetime, obstacle_of
from proxy.service.live_configuration import LiveConfiguration, Serving
from proxy.service.takeover import Takeover, claims_of
from proxy.service.upstream_choice import (
    configured_ports,
    named_ports,
    upstream_of,
    writes_access_log,
)

STOP_REQUEST_SECONDS = 0.5


Read = Callable[[], Settings]


def run_in_event_loop(
    command: Callable[[Settings], Coroutine[Any, Any, int]], settings: Settings
) -> int:
    """Run a command in a new event loop; returns its exit code."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(command(settings))


def _application(settings: Settings, *, launches: bool) -> Serving:
    """One application in this process, or a supervisor of several processes."""
    access_log = writes_access_log(settings, launches=launches)
    if settings.listen.workers == 1:
        return Application(settings, access_log=access_log)
    from proxy.workers.supervisor import Supervisor  # noqa: PLC0415  only where it is wanted

    return Supervisor(settings, access_log=access_log)


async def serve(settings: Settings, read: Read, *, take_over: bool = False) -> int:
    """Serve a Jupyter that somebody else runs.

    Args:
        settings: The configuration.
        read: Reads it again, for a reload.
        take_over: Whether to take over from the labgate that runs with this state folder.
    """
    address = upstream_of(settings, launches=False)
    app = _application(settings, launches=False)
    configuration = LiveConfiguration(settings, read, "serve")
    lifetime = await _begin(settings, app, take_over=take_over)
    work = _serve_running(configuration, app, address, lifetime)
    return await until_stopped(configuration, app, lifetime, work)


async def up(settings: Settings, read: Read, *, take_over: bool = False) -> int:
    """Launch Jupyter, then serve it; the arguments are those of ``serve``.

    Raises:
        StartError: Another labgate uses the same state folder or container.
    """
    from proxy.runtime.instance_lock import acquire, folder_claim  # noqa: PLC0415  serve needs none of it

    address = upstream_of(settings, launches=True)
    app = _application(settings, launches=True)
    configuration = LiveConfiguration(settings, read, "up")
    lifetime = await _begin(settings, app, take_over=take_over)
    claim = folder_claim(settings.state_folder)
    # Before any port, engine or file is used.
    with closing(acquire(claim, claims_of(lifetime.takeover))) as held:
        lifetime.handover.claims[str(claim.place)] = held
        work = (
            _launch_and_serve(configuration, app, lifetime)
            if address is None
            else _serve_running(configuration, app, address, lifetime)
        )
        return await until_stopped(configuration, app, lifetime, work)


async def _begin(settings: Settings, app: Serving, *, take_over: bool) -> Lifetime:
    """Take over from the labgate that runs, if it is wanted and one runs.

    Raises:
        StartError: It does not hand over, and goes on.
    """
    takeover = await Takeover.begin(settings.state_folder) if take_over else None
    if take_over and takeover is None:
        print_progress("No labgate runs with this state folder: nothing to take over.")
    lifetime = Lifetime(takeover, jupyter_too=takeover is None and runs_interactively())
    lifetime.handover.ports = lambda: named_ports(settings, app.ports)
    lifetime.handover.logins = app.login_state
    lifetime.handover.obstacle = container_obstacle()
    return lifetime


async def _open_ports(settings: Settings, app: Serving, takeover: Takeover | None) -> None:
    """Accept connections: those that a predecessor accepts, too, if there is one."""
    if takeover is None:
        await app.start()
        return
    _continue_logins(app, takeover)
    configured = configured_ports(settings)
    await app.start(bind_ports(settings, takeover.ports_for(configured)))


async def _complete(app: Serving, lifetime: Lifetime) -> None:
    """Own what was taken over."""
    if lifetime.takeover is not None:
        from proxy.runtime.instance_lock import name_owner  # noqa: PLC0415  see up

        await lifetime.takeover.complete()
        _continue_logins(app, lifetime.takeover)
        for held in lifetime.handover.claims.values():
            name_owner(held)
        lifetime.jupyter_too = runs_interactively()


def _continue_logins(app: Serving, takeover: Takeover) -> None:
    """Whoever is locked out there is locked out here."""
    if takeover.logins is not None:
        app.continue_logins(takeover.logins)


async def _end(app: Serving, lifetime: Lifetime) -> None:
    """Stop serving; for a successor that was done already."""
    if lifetime.handover.successor:
        return
    if lifetime.is_shared:
        app.leave_to_others()
    else:
        sd_notify("STOPPING=1")
    await app.stop(lifetime.force)


async def _serve_running(
    configuration: LiveConfiguration,
    app: Serving,
    address: UpstreamAddress | None,
    lifetime: Lifetime,
) -> None:
    """Open ports and serve until cancelled; ``address`` is None if all are in ``[[routes]]``."""
    try:
        launched = None
        addresses = [route.address for route in served_routes(configuration.settings)]
        if address is not None:
            app.connect_to(address)
            app.jupyter.enter("not launched here")
            launched = Launched(address, Login("unknown"), "")
            addresses.insert(0, address)
        probing = spawn(awaited(addresses, FIRST_PROBE_SECONDS), "jupyter: first look")
        await _open_ports(configuration.settings, app, lifetime.takeover)
        waiting = await probing
        await _complete(app, lifetime)
        report_ready(configuration, app, launched, waiting)
        await asyncio.Event().wait()
    finally:
        await _end(app, lifetime)


async def _launch_and_serve(
    configuration: LiveConfiguration, app: Serving, lifetime: Lifetime
) -> None:
    """Open ports, launch Jupyter and restart it, until cancelled or Jupyter is shut down."""
    async with _chosen_launcher(configuration.settings, lifetime) as launcher:
        try:
            if lifetime.takeover is None:
                await _open_ports(configuration.settings, app, None)
                print_progress("Starting Jupyter …")
            launched = await launcher.launch()
            app.jupyter.launcher = launcher
            app.jupyter.launched(launched)
            app.connect_to(launched.address)
            if lifetime.takeover is not None:
                # Until now all requests go to the predecessor, which knows where Jupyter is.
                await _open_ports(configuration.settings, app, lifetime.takeover)
            lifetime.handover.obstacle = lifetime.handover.obstacle or obstacle_of(launched)
            await _supervise(configuration, app, launcher, launched, lifetime)
        finally:
            await _end(app, lifetime)


@asynccontextmanager
async def _chosen_launcher(settings: Settings, lifetime: Lifetime) -> AsyncIterator[Launcher]:
    """Choose a launcher and claim its container; at the end stop or leave its Jupyter."""
    # Imported here: to serve a running Jupyter needs neither the engine's client nor rich.
    from proxy.jupyter.choose_launcher import choose_launcher  # noqa: PLC0415  0.1 s
    from proxy.runtime.instance_lock import acquire, container_claim  # noqa: PLC0415

    def claim(engine: str) -> None:
        wanted = container_claim(engine, settings.jupyter.name)
        held = claims.enter_context(closing(acquire(wanted, claims_of(lifetime.takeover))))
        lifetime.handover.claims[str(wanted.place)] = held

    with ExitStack() as claims:
        launcher = await choose_launcher(
            settings.jupyter,
            settings.state_folder,
            claim=claim,
            confirm=confirm_on_terminal(),
            # An upgrade promises that kernels live on, whatever the configuration says by now.
            replaces=lifetime.takeover is None,
        )
        assert launcher is not None, "launch = none was taken before"
        try:
            _require_same_jupyter(lifetime)
            yield launcher
        finally:
            await (_stop(launcher, lifetime.force) if lifetime.jupyter_too else launcher.leave())


def _require_same_jupyter(lifetime: Lifetime) -> None:
    """Check that the predecessor's Jupyter goes on being served.

    Raises:
        StartError: The configuration names another one by now.
    """
    if claims_of(lifetime.takeover).keys() - lifetime.handover.claims.keys():
        raise StartError(
            "The Jupyter that runs is not the one of this configuration (jupyter.launch, "
            "jupyter.name): an upgrade keeps it, and its kernels. To have the other "
            "one, stop labgate (`labgate stop`) and start it again."
        )


async def _supervise(
    configuration: LiveConfiguration,
    app: Serving,
    launcher: Launcher,
    launched: Launched,
    lifetime: Lifetime,
) -> None:
    """Report that Jupyter is ready, and restart it until it is shut down with labgate."""
    known, reported = launched, False

    def moved(now: Launched) -> None:
        nonlocal known
        if now.address != known.address:
            app.connect_to(now.address)
        if reported and (now.address, now.login) != (known.address, known.login):
            report_ready(configuration, app, now)
        known = now

    supervision = Supervision(
        launcher,
        interactive=runs_interactively(),
        on_relaunch=moved,
        jupyter=app.jupyter,
        may_restart=lifetime.handover.may_restart_jupyter,
    )
    seconds = configuration.settings.jupyter.start_timeout_seconds
    launched = await supervision.wait_for_first_answer(launched, seconds)
    routes = served_routes(configuration.settings)
    waiting = await awaited((route.address for route in routes), FIRST_PROBE_SECONDS)
    await _complete(app, lifetime)
    report_ready(configuration, app, launched, waiting)
    reported = True
    ended = await supervision.run()
    print_progress(f"Jupyter was shut down ({ended.reason}); labgate stops too.")


async def _stop(launcher: Launcher, force: asyncio.Event) -> None:
    """Stop Jupyter; once ``force`` is set, only send the request to stop."""
    stopping = spawn(launcher.stop(), "jupyter: stop")
    forcing = spawn(force.wait(), "force")
    await asyncio.wait({stopping, forcing}, return_when=asyncio.FIRST_COMPLETED)
    # Sending the request takes a moment, too, if `force` was set first.
    _, unfinished = await asyncio.wait({stopping}, timeout=STOP_REQUEST_SECONDS)
    for task in (*unfinished, forcing):
        task.cancel()
    await asyncio.wait({stopping, forcing})
