"""``labgate up`` and ``labgate serve``, from start to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import ExitStack, asynccontextmanager, closing, suppress
from typing import TYPE_CHECKING, Any, TypeAlias

from proxy.app import Application
from proxy.certs.development_ca import authority_file
from proxy.cli.confirm import confirm_on_terminal
from proxy.cli.ready_lines import Reader, print_progress, print_ready, ready_lines
from proxy.cli.side_listeners import with_side_listeners
from proxy.config.settings import Settings
from proxy.errors import UsageError
from proxy.jupyter.launcher import STOP_SECONDS as JUPYTER_STOP_SECONDS
from proxy.jupyter.launcher import Launched, Launcher, Login
from proxy.jupyter.readiness import is_silent
from proxy.jupyter.supervision import Supervision, is_interactive
from proxy.net.upstream_address import UpstreamAddress
from proxy.runtime.event_loop import loop_factory
from proxy.runtime.sd_notify import sd_notify
from proxy.runtime.tasks import spawn

if TYPE_CHECKING:
    from proxy.workers.supervisor import Supervisor

log = logging.getLogger("labgate")

DEFAULT_UPSTREAM = UpstreamAddress("127.0.0.1", 8888)
STOP_REQUEST_SECONDS = 0.5
UPSTREAM_PROBE_SECONDS = 0.5


Work = Callable[[asyncio.Event], Coroutine[Any, Any, None]]
Serving: TypeAlias = "Application | Supervisor"


def run(command: Callable[[Settings], Coroutine[Any, Any, int]], settings: Settings) -> int:
    """Run a command in a new event loop; returns its exit code."""
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        return runner.run(command(settings))


def _application(settings: Settings, *, access_log: bool) -> Serving:
    """One application in this process, or a supervisor of several processes."""
    if settings.listen.workers == 1:
        return Application(settings, access_log=access_log)
    from proxy.workers.supervisor import Supervisor  # noqa: PLC0415  only where it is wanted

    return Supervisor(settings, access_log=access_log)


async def serve(settings: Settings) -> int:
    """Serve a Jupyter that somebody else runs."""
    if not settings.upstream.url:
        raise UsageError(
            "serve needs to know where Jupyter is: --upstream http://127.0.0.1:8888 "
            "(or upstream.url, LABGATE_UPSTREAM__URL). `labgate up` launches one."
        )
    # --show-headers prints every exchange already.
    access_log = settings.log.access is True or (
        settings.log.access is None and not settings.log.show_headers
    )
    address = settings.upstream.address
    address.check()
    app = _application(settings, access_log=access_log)
    return await _until_signal(
        settings, app, "serve", lambda force: _serve_running(settings, app, address, force)
    )


async def up(settings: Settings) -> int:
    """Launch Jupyter, then serve it.

    Raises:
        StartError: Another labgate uses the same state folder or container.
    """
    from proxy.runtime.instance_lock import acquire, folder_claim  # noqa: PLC0415  serve needs none of it

    if settings.upstream.url and settings.jupyter.launch != "none":
        raise UsageError(
            "upstream.url names a Jupyter that runs already, and `up` would launch another: "
            "add --launch none, or use `labgate serve`."
        )
    # Before any port, engine or file is used.
    with closing(acquire(folder_claim(settings.state_folder))):
        app = _application(settings, access_log=settings.log.access is True)
        if settings.jupyter.launch != "none":
            return await _until_signal(
                settings, app, "up", lambda force: _launch_and_serve(settings, app, force)
            )
        address = settings.upstream.address if settings.upstream.url else DEFAULT_UPSTREAM
        address.check()
        return await _until_signal(
            settings, app, "up", lambda force: _serve_running(settings, app, address, force)
        )


async def _serve_running(
    settings: Settings, app: Serving, address: UpstreamAddress, force: asyncio.Event
) -> None:
    """Open ports and serve until cancelled."""
    try:
        app.connect_to(address)
        app.jupyter.enter("not launched here")
        probing = spawn(is_silent(address, UPSTREAM_PROBE_SECONDS), "jupyter: first look")
        await app.start()
        silent = f"nothing answers at {address} yet; requests get 503 until it does"
        waiting = [silent] if await probing else []
        _report_ready(settings, app, Launched(address, Login("unknown"), ""), waiting)
        await asyncio.Event().wait()
    finally:
        sd_notify("STOPPING=1")
        await app.stop(force)


async def _launch_and_serve(settings: Settings, app: Serving, force: asyncio.Event) -> None:
    """Open ports, launch Jupyter and restart it, until cancelled or Jupyter is shut down."""
    async with _chosen_launcher(settings, force) as launcher:
        try:
            await app.start()
            print_progress("Starting Jupyter …")
            launched = await launcher.launch()
            app.jupyter.launcher = launcher
            app.jupyter.launched(launched)
            app.connect_to(launched.address)
            await _supervise(settings, app, launcher, launched)
        finally:
            sd_notify("STOPPING=1")
            await app.stop(force)


@asynccontextmanager
async def _chosen_launcher(settings: Settings, force: asyncio.Event) -> AsyncIterator[Launcher]:
    """Choose a launcher and claim its container; stop its Jupyter at the end."""
    # Imported here: to serve a running Jupyter needs neither the engine's client nor rich.
    from proxy.jupyter.choose_launcher import choose_launcher  # noqa: PLC0415  0.1 s
    from proxy.runtime.instance_lock import acquire, container_claim  # noqa: PLC0415

    def claim(engine: str) -> None:
        claims.enter_context(closing(acquire(container_claim(engine, settings.jupyter.name))))

    with ExitStack() as claims:
        launcher = await choose_launcher(
            settings.jupyter, settings.state_folder, claim=claim, confirm=confirm_on_terminal()
        )
        assert launcher is not None, "launch = none was taken before"
        try:
            yield launcher
        finally:
            await _stop(launcher, force)


async def _supervise(
    settings: Settings, app: Serving, launcher: Launcher, launched: Launched
) -> None:
    """Report that Jupyter is ready, and restart it until it is shut down with labgate."""
    known, reported = launched, False

    def moved(now: Launched) -> None:
        nonlocal known
        if now.address != known.address:
            app.connect_to(now.address)
        if reported and (now.address, now.login) != (known.address, known.login):
            _report_ready(settings, app, now)
        known = now

    supervision = Supervision(
        launcher, interactive=_is_interactive(), on_relaunch=moved, jupyter=app.jupyter
    )
    seconds = settings.jupyter.start_timeout_seconds
    _report_ready(settings, app, await supervision.wait_for_first_answer(launched, seconds))
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


def _report_ready(
    settings: Settings, app: Serving, jupyter: Launched, waiting: Sequence[str] = ()
) -> None:
    """Report to people and to the service manager that everything is ready.

    Args:
        settings: The configuration.
        app: The application or the supervisor.
        jupyter: The Jupyter that is served.
        waiting: Sentences about what is not available yet.
    """
    store = app.certificates
    made = store is not None and store.managed[0].source.kind == "development"
    authority = authority_file(settings.state_folder) if made else None
    interactive = _is_interactive()
    reader = Reader(terminal=interactive and os.isatty(2), interactive=interactive)
    lines = ready_lines(settings, jupyter, authority, reader)
    lines[-1:-1] = [("Waiting", wait) for wait in waiting]
    for entry in store.managed if store is not None else ():
        if entry.temporary:
            place = f"a certificate at {entry.source.cert}"
            if entry.source.kind == "ACME":
                place = f"the certificate for {entry.name} from {settings.acme.directory}"
            wait = f"for {place}; a temporary one serves until then"
            lines.insert(-1, ("Waiting", wait))
    print_ready(lines)
    sd_notify("READY=1")


async def _until_signal(settings: Settings, app: Serving, command: str, work: Work) -> int:
    """Run ``work`` until it returns or a SIGINT or SIGTERM; a second signal ends the draining.

    SIGHUP reloads the certificates, but stops labgate if the terminal was closed.
    """
    loop = asyncio.get_running_loop()
    force = asyncio.Event()
    serving = with_side_listeners(settings, app, command, work(force))
    working = loop.create_task(serving, name="serving")

    def on_signal() -> None:
        if working.cancelling():
            force.set()
        else:
            print_progress(f"Stopping …{wait}")
            working.cancel()

    in_terminal = _has_terminal()
    wait = f" ({_longest_wait(settings)}; Ctrl-C again ends at once)" if in_terminal else ""

    def on_hangup() -> None:
        if in_terminal and not _has_terminal():
            on_signal()
        else:
            log.info("SIGHUP: the certificates are looked at now.")
            app.reload()

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, on_signal)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup ignores it
        loop.add_signal_handler(signal.SIGHUP, on_hangup)
    try:
        with suppress(asyncio.CancelledError):
            await working
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
            # Another signal during the exit must not change the exit code.
            signal.signal(number, signal.SIG_IGN)
    return 0


def _longest_wait(settings: Settings) -> str:
    """What a stop waits for, and for how long at most."""
    seconds = f"{settings.listen.drain_seconds:g} s"
    if settings.jupyter.launch == "none" or settings.upstream.url:
        return f"open requests get {seconds}"
    return f"open requests get {seconds}, then Jupyter gets {JUPYTER_STOP_SECONDS:g} s"


def _is_interactive() -> bool:
    return is_interactive(os.environ, (os.isatty(0), os.isatty(2)))


def _has_terminal() -> bool:
    """Whether there is a controlling terminal (tty(4)), even if input and output are redirected."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
