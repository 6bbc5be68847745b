"""Starts and stops the proxy of a JupyterHub, and hands it over to a successor."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import socket
from collections.abc import Iterable, Sequence
from time import monotonic
from typing import TYPE_CHECKING, TypeAlias

from aiohttp import web

from proxy.certs.status import CertificateStatus
from proxy.errors import UsageError
from proxy.hub.api import ApiCounts, RoutesApi, make_api_app
from proxy.hub.api_tls import ApiTls
from proxy.hub.application import HubApplication
from proxy.hub.counts import Measured
from proxy.hub.journal import Journal
from proxy.hub.listeners import AppListener
from proxy.hub.options import HubOptions
from proxy.hub.ports import API, METRICS, HubPorts
from proxy.hub.route_table import RouteTable
from proxy.hub.shared_routes import WORKER_ANSWER_SECONDS, SharedRoutes
from proxy.hub.succession import Succession
from proxy.inspector.inspector import Inspector
from proxy.rules.head import RequestHead
from proxy.runtime.instance_lock import HeldClaim, acquire, storage_claim
from proxy.runtime.periodic import run_periodically
from proxy.runtime.resident_memory import resident_bytes
from proxy.runtime.tasks import spawn
from proxy.service.status import Role
from proxy.service.takeover import Takeover, claims_of
from proxy.workers.process_report import ProcessReport

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

    from proxy.hub.workers import HubWorkers

log = logging.getLogger("labgate")

HOUSEKEEPING_SECONDS = 2.0
SAVE_SECONDS = 60.0
OPEN_AGAIN_SECONDS = 1.0

ServingHub: TypeAlias = "HubApplication | HubWorkers"


class HubProxy:
    """The whole proxy: start it, hand it over, stop it.

    Attributes:
        table: The routes.
        token: The API's.
        ports: The listening sockets.
        claim: The lock of the file with the routes; None without one.

    Args:
        options: What the command line says.

    Raises:
        StartError: An option cannot be used.
    """

    def __init__(self, options: HubOptions) -> None:
        self._options = options
        self.token = options.token or secrets.token_hex(32)
        if options.client_ca or options.client_cert:
            options.client_tls.check()
        journal = Journal(options.storage) if options.storage is not None else None
        self.table = RouteTable(options.client_tls, by_host=options.host_routing, journal=journal)
        self.ports = HubPorts(options)
        self.claim: HeldClaim | None = None
        self._api_counts = ApiCounts()
        self._api_tls = ApiTls(options.api_tls) if options.api_tls is not None else None
        api_context = self._api_tls.context if self._api_tls is not None else None
        # A change waits this long for the followers.
        self._api = AppListener(self._make_api, api_context, 2 * WORKER_ANSWER_SECONDS)
        self._metrics = AppListener(self._make_metrics)
        self.shared = SharedRoutes(self.table, self._measured)
        self._serving = self._make_serving()
        self._succession = Succession(self.shared)
        self._tasks: list[asyncio.Task[None]] = []
        self._saved_at = monotonic()

    def _make_serving(self) -> ServingHub:
        if self._options.workers == 1:
            return HubApplication(self._options, self.table, self.ports.public)
        from proxy.hub.workers import HubWorkers  # noqa: PLC0415  only where it is wanted

        # Report an unusable option before starting a process.
        HubApplication(self._options, RouteTable(self._options.client_tls), self.ports.public)
        return HubWorkers(self._options, self.shared, self.ports)

    async def start(
        self,
        passed: Sequence[tuple[str, socket.socket]] = (),
        takeover: Takeover | None = None,
    ) -> None:
        """Load the routes, listen on every port, and serve clients.

        Args:
            passed: Sockets that the service manager opened.
            takeover: What a predecessor hands over.

        Raises:
            StartError: A file or a port is not available.
        """
        options = self._options
        if options.storage is not None:
            claim, passed_claims = storage_claim(options.storage), claims_of(takeover)
            self.claim = acquire(claim, passed_claims)
            if takeover is not None and str(claim.place) not in passed_claims:
                self.table.check_new_journal()
        self.ports.take_passed(passed)
        if takeover is not None:
            self.ports.take_over(takeover.ports)
        self.ports.bind()
        await self._serving.prepare()
        if takeover is not None:
            await self._succession.take(await takeover.state())
            self._use_journal()
        elif stored := self.table.load():
            are = "1 route is" if stored == 1 else f"{stored} routes are"
            log.info("%s there from before (--storage %s)", are, options.storage)
        if options.default_target:
            try:
                await self.shared.add("/", {"target": options.default_target})
            except ValueError as error:
                raise UsageError(f"--default-target: {error}") from None
        housekeeping = run_periodically([self._keep_house], HOUSEKEEPING_SECONDS)
        self._tasks.append(spawn(housekeeping, "routes on the disk"))
        await self._serving.open()

    async def open_api(self) -> None:
        """Answer the API and the metrics, once no predecessor can go on with its own routes.

        It would not know what the Hub changes here, and until it follows, each change and each
        measurement would wait for it. Calls that come before wait in the queue of the socket.
        """
        await self._api.open(self.ports.duplicates(API))
        await self._metrics.open(self.ports.duplicates(METRICS))

    @property
    def inspector(self) -> Inspector:
        """What passes, in all processes that serve."""
        return self._serving.inspector

    async def replay(self, head: RequestHead, content: bytes) -> int:
        """Send a request as if a client had; gives the exchange's number.

        Raises:
            ReplayRefused: Nobody serves it.
        """
        return await self._serving.replay(head, content)

    def reload(self) -> None:
        """Read the certificates again now."""
        self._serving.reload()
        self._reload_api_certificate()

    def certificates(self) -> Sequence[CertificateStatus]:
        """Those in service towards clients."""
        tls = self._serving.tls
        return tls.store.statuses() if tls is not None else ()

    async def reports(self) -> list[tuple[Role, ProcessReport]]:
        """The report of each process, for ``labgate status``."""
        if isinstance(self._serving, HubApplication):
            return [("main", self._serving.report())]
        own = ProcessReport(os.getpid(), memory_bytes=resident_bytes(os.getpid()))
        workers = await self._serving.reports()
        return [("supervisor", own), *(("worker", report) for report in workers)]

    # A successor

    async def hand_over_routes(self) -> list[int]:
        """Give descriptors of the routes, which do not change from here on.

        Calls of the API wait in the queue of its socket.

        Raises:
            OSError: They cannot be given.
        """
        await self._api.close()
        await self.shared.refresh()
        self.table.leave_journal()
        return self._succession.give()

    async def keep_routes(self) -> None:
        """Serve again: the takeover failed."""
        self._succession.withdraw()
        self._use_journal()
        while True:
            try:
                await self._api.open(self.ports.duplicates(API))
                return
            except OSError as error:
                # The Hub needs the API; its calls wait in the socket's queue.
                log.error("the API cannot be opened again yet: %s", error.strerror or error)
                await self._api.close()
            await asyncio.sleep(OPEN_AGAIN_SECONDS)

    def leave_to_others(self) -> None:
        """Accept nothing new, and follow the routes of the successor."""
        for task in self._tasks:
            task.cancel()
        self._serving.leave_to_others()
        self._tasks = [
            spawn(self._succession.follow(), "successor"),
            spawn(self._metrics.close(), "metrics"),
        ]

    async def wait_for_clients(self, force: asyncio.Event) -> None:
        """Wait until no client is connected, or until ``force`` is set."""
        await self._serving.wait_for_clients(force)
        await self._succession.wait_for_predecessors(force)

    # The end

    async def stop(self, force: asyncio.Event) -> None:
        """Accept nothing new, finish open requests within ``drain_seconds``, then abort the rest.

        ``force`` ends the wait early.
        """
        self.ports.close()
        await self._serving.stop(force)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(self._api.close(), self._metrics.close())
        await self._succession.report_last()
        try:
            await self.table.save()
        except OSError as error:
            self._log_storage(error)
        self.table.leave_journal()
        if self.claim is not None:
            self.claim.close()

    # What is done meanwhile

    def _make_api(self) -> web.Application:
        by_host = self._options.host_routing
        return make_api_app(RoutesApi(self.shared, self.token, self._api_counts, by_host=by_host))

    def _make_metrics(self) -> web.Application:
        from proxy.hub.metrics import make_hub_metrics_app  # noqa: PLC0415  as in _collect

        return make_hub_metrics_app(self._collect)

    def _measured(self) -> Measured:
        return self._serving.measured()

    async def _collect(self) -> Iterable[Metric]:
        # What makes metrics takes 1 MB, and few have them.
        from proxy.hub.metrics import chp_metrics, number_of_routes  # noqa: PLC0415
        from proxy.observe.metrics import metrics_of_serving  # noqa: PLC0415

        measured = await self.shared.measured()
        tls = self._serving.tls
        certificates = tls.store.managed if tls is not None else ()
        return [
            *chp_metrics(self._api_counts, measured.counts),
            number_of_routes(len(self.table.by_path)),
            *metrics_of_serving(measured.traffic, measured.now, certificates),
        ]

    def _reload_api_certificate(self) -> None:
        if self._api_tls is not None:
            try:
                if self._api_tls.reload():
                    log.info("The API's certificates were read again: a file has changed.")
            except OSError as error:
                log.debug("the API keeps its certificates: %s", error)

    async def _keep_house(self) -> None:
        """What need not be done at once."""
        self._reload_api_certificate()
        try:
            if monotonic() - self._saved_at > SAVE_SECONDS:
                self._saved_at = monotonic()
                await self.table.save()
            else:
                await self.table.compact()
        except OSError as error:
            self._log_storage(error)

    def _use_journal(self) -> None:
        try:
            self.table.use_journal()
        except OSError as error:
            self._log_storage(error)

    def _log_storage(self, error: OSError) -> None:
        log.error("--storage %s cannot be written: %s", self._options.storage, error.strerror)
