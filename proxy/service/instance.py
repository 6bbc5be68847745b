"""The labgate of this process: its status and its commands.

Tested by tests/e2e/test_status.py.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote

from proxy import __version__
from proxy.app import Application
from proxy.config.addresses import host_and_port
from proxy.config.route_settings import route_name
from proxy.config.routes import served_routes
from proxy.errors import StartError
from proxy.jupyter.readiness import is_ready, why_silent
from proxy.routes.probes import PROBE_SECONDS, why_no_answer
from proxy.rules.authority import host_with_port
from proxy.rules.networks import limit_key, parse_address
from proxy.runtime.last_problems import last_problems
from proxy.runtime.resident_memory import resident_bytes
from proxy.service.handover import Handover
from proxy.service.live_configuration import LiveConfiguration, ReloadOutcome, Serving
from proxy.service.status import JupyterStatus, Role, RouteStatus, Status, status_of
from proxy.service.unit_name import unit_name
from proxy.workers.process_report import ProcessReport, report_of
from proxy.workers.supervisor import Supervisor

FOLLOW_AGAIN_SECONDS = 0.5


class Instance:
    """The running labgate, as commands see it.

    Args:
        configuration: In force.
        app: What serves.
        since: When it was started.
        handover: To a successor; None if no takeover is possible.
    """

    def __init__(
        self,
        configuration: LiveConfiguration,
        app: Serving,
        since: datetime,
        handover: Handover | None = None,
    ) -> None:
        self._handover = handover
        self._configuration = configuration
        self._app = app
        self._since = since

    async def status(self) -> Status:
        """Everything that ``labgate status`` shows (``proxy.service.status``)."""
        processes, jupyter, routes = await asyncio.gather(
            self._processes(), self._jupyter(), self._routes()
        )
        store = self._app.certificates
        certificates = store.statuses() if store is not None else []
        about = _about(self._configuration, self._since)
        now = datetime.now(UTC)
        return status_of(about, jupyter, processes, certificates, now, routes=routes)

    async def unlock(self, address: str) -> bool:
        """Lift a lockout in all processes; returns whether there was one.

        Raises:
            StartError: That is no address.
        """
        alone = address.partition("/")[0]  # status shows the /64 of an IPv6 address
        if parse_address(alone) is None:
            raise StartError(f"{address!r} is no IP address; `labgate status` lists the lockouts.")
        key = limit_key(alone)
        known = {name for _, report in await self._processes() for name in report.locked_out}
        if isinstance(self._app, Supervisor):
            self._app.unlock(key)
        else:
            self._app.lockout.forget(key)
        return key in known

    async def reload(self) -> ReloadOutcome:
        """Read the configuration again, and put it into force or refuse it."""
        return await self._configuration.reload(self._app, "labgate reload")

    def offer_takeover(self) -> str:
        """The path of a socket over which a successor gets everything.

        Raises:
            StartError: Nobody can take over.
        """
        if self._handover is None:
            raise StartError("Nobody can take over from this labgate.")
        return str(self._handover.offer(self._configuration.settings.state_folder))

    async def upgrade(self) -> int:
        """Start a successor as this labgate was started, now from the files on disk.

        Returns:
            Its process id.

        Raises:
            StartError: It does not serve, and this labgate keeps serving.
        """
        if self._handover is None:
            raise StartError("Nobody can take over from this labgate.")
        return await self._handover.start_successor()

    def stop(self) -> None:
        """End labgate, and the Jupyter that it launched, as Ctrl-C does."""
        signal.raise_signal(signal.SIGINT)

    def login_address(self) -> str:
        """The address to open in a browser, with the login token if there is one."""
        upstream, token = self._app.upstream, self._app.jupyter.login.token
        base_path = upstream.base_path if upstream is not None else "/"
        address = f"{self._configuration.settings.origins[0]}{base_path}lab"
        return f"{address}?token={quote(token)}" if token else address

    async def log(self, count: int, *, follow: bool) -> AsyncIterator[str]:
        """Jupyter's log, across its restarts.

        Args:
            count: How many of the last lines come first.
            follow: Whether new lines come until labgate ends.

        Raises:
            StartError: labgate did not launch this Jupyter, or not yet.
        """
        launcher = self._app.jupyter.launcher
        if launcher is None and self._app.jupyter.phase == "starting":
            raise StartError("Jupyter is not there yet: `labgate status` says when it is.")
        if launcher is None:
            raise StartError(
                f"labgate did not launch the Jupyter at {self._app.upstream}, so it has no log of "
                "it. Look where that is run: docker logs, journalctl, its terminal."
            )
        if not follow:
            for line in await launcher.last_lines(count):
                yield line
            return
        while True:
            async for line in launcher.follow_log(count):
                yield line
            count = 0
            await asyncio.sleep(FOLLOW_AGAIN_SECONDS)

    async def _processes(self) -> list[tuple[Role, ProcessReport]]:
        if isinstance(self._app, Application):
            return [("main", report_of(self._app))]
        own = ProcessReport(
            os.getpid(), memory_bytes=resident_bytes(os.getpid()), problems=last_problems()
        )
        workers = await self._app.reports()
        workers.sort(key=lambda report: report.pid)
        return [("supervisor", own), *(("worker", report) for report in workers)]

    async def _routes(self) -> list[RouteStatus]:
        routes = served_routes(self._configuration.settings)
        reasons = await asyncio.gather(
            *(
                why_no_answer(f"{route_name(number)} upstream", route, PROBE_SECONDS)
                for number, route in enumerate(routes)
            )
        )
        return [
            RouteStatus(route.name, route.public_address, str(route.address), reason)
            for route, reason in zip(routes, reasons, strict=True)
        ]

    async def _jupyter(self) -> JupyterStatus:
        known, upstream = self._app.jupyter, self._app.upstream
        if not self._configuration.settings.site_has_jupyter:
            return JupyterStatus("", "", "in routes", "", known.since)
        state: str = known.phase
        reason = known.reason
        if upstream is None:
            state = "starting"
        elif known.phase in ("running", "not launched here"):
            answers = await is_ready(upstream)
            state = "answers" if answers else "does not answer"
            if not answers and known.launcher is not None:
                reason = await known.launcher.condition()
            elif not answers:
                reason = await why_silent(upstream, PROBE_SECONDS) or (
                    f"what answers is no Jupyter, or has another base_url than {upstream.base_path}"
                )
        return JupyterStatus(
            "" if upstream is None else str(upstream), known.description, state, reason, known.since
        )


def _about(configuration: LiveConfiguration, since: datetime) -> Status:
    settings = configuration.settings
    try:
        user = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        user = str(os.getuid())
    port = settings.https_port if settings.listen.tls else settings.http_port
    metrics = settings.listen.metrics
    ports = [port, settings.http_port] if settings.listen.tls and settings.http_port else [port]
    return {
        "version": __version__,
        "command": configuration.command,
        "pid": os.getpid(),
        "user": user,
        "since": since.astimezone(UTC).isoformat(timespec="seconds"),
        "service": unit_name(),
        "reload_refused": configuration.refusal,
        "reload_failed": configuration.failure,
        "state_folder": str(settings.state_folder.absolute()),
        "addresses": [str(origin) for origin in settings.origins],
        "listening": [host_with_port(host, port) for port in ports for host in settings.bind],
        "metrics": host_with_port(*host_and_port(metrics)) if metrics else "",
    }
