"""Starts and stops the proxy of a JupyterHub."""

from __future__ import annotations

import asyncio
import logging
import secrets
from time import monotonic
from typing import Any

from aiohttp import web

from proxy.certs.sources import CertificateSource
from proxy.certs.store import CertificateStore
from proxy.errors import UsageError
from proxy.http1.server import Http1Server
from proxy.hub.api import ApiCounts, RoutesApi, make_api_app
from proxy.hub.api_tls import ApiTls
from proxy.hub.error_pages import ErrorPages, make_pages_app
from proxy.hub.journal import Journal
from proxy.hub.listeners import Close, open_application, open_public
from proxy.hub.metrics import HubMetrics, ProxyCounts, make_hub_metrics_app
from proxy.hub.options import Endpoint, HubOptions
from proxy.hub.route_table import HubRoute, RouteTable
from proxy.hub.router import HubRouter, LookUps
from proxy.hub.sites import hub_limits, hub_site
from proxy.hub.targets import RouteTarget, parse_target
from proxy.net.limits import new_connection_limit, new_request_limit
from proxy.net.listener import Listener
from proxy.net.upstream_tls import UpstreamTls
from proxy.observe.access_log import AccessLog
from proxy.observe.record import Observer, Observers
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.pool import Pool
from proxy.proxying.router import Route
from proxy.runtime.instance_lock import HeldClaim, acquire, storage_claim
from proxy.runtime.memory import MemoryReclaimer
from proxy.runtime.periodic import run_periodically
from proxy.runtime.tasks import spawn
from proxy.tls.context import Handshakes
from proxy.web.in_process import InProcessUpstream

log = logging.getLogger("labgate")

CHECK_SECONDS = 0.5
HOUSEKEEPING_SECONDS = 2.0
SAVE_SECONDS = 60.0
PAGE_SECONDS = 30.0


class HubProxy:
    """The whole proxy: start it, stop it.

    Attributes:
        table: The routes.
        token: The API's.

    Args:
        options: What the command line says.

    Raises:
        StartError: Something of it cannot be.
    """

    def __init__(self, options: HubOptions) -> None:
        self._options = options
        self.token = options.token or secrets.token_hex(32)
        self._client_tls = UpstreamTls(
            str(options.client_ca or ""),
            str(options.client_cert or ""),
            str(options.client_key or ""),
            not options.insecure,
        )
        if options.client_ca or options.client_cert:
            self._client_tls.check()
        self._error_pages = ErrorPages(self._parsed_error_target(), options.error_path)
        self._limits = hub_limits(options)
        self._look_ups = LookUps()
        self._pages = InProcessUpstream(self._make_pages, self._limits)
        pages_pool = Pool(
            self._pages, connect_timeout_seconds=PAGE_SECONDS, response_seconds=PAGE_SECONDS
        )
        self._router = HubRouter(
            hub_site(options),
            pages_pool,
            new_request_limit(self._limits),
            by_host=options.host_routing,
            include_prefix=options.include_prefix,
            prepend_path=options.prepend_path,
            look_ups=self._look_ups if options.metrics is not None else None,
        )
        self._pages_pool = pages_pool
        journal = Journal(options.storage) if options.storage is not None else None
        self.table = RouteTable(
            self._client_tls, self._open_route, by_host=options.host_routing, journal=journal
        )
        self._router.use(self.table)
        self._api_counts, self._counts = ApiCounts(), ProxyCounts()
        self._access_log = AccessLog() if log.isEnabledFor(logging.DEBUG) else None
        self._dispatcher = Dispatcher(
            self._router, self._observers(), access_log=self._access_log is not None
        )
        self._certificates = self._certificate_store()
        self._api_tls = ApiTls(options.api_tls) if options.api_tls is not None else None
        self._listeners: list[Listener | asyncio.Server] = []
        self._servers: list[Http1Server] = []
        self._applications: list[Close] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._storage_lock: HeldClaim | None = None
        self._saved_at = monotonic()

    async def start(self) -> None:
        """Load the routes and open every port.

        Raises:
            StartError: A file or a port is not available.
        """
        options = self._options
        if options.storage is not None:
            self._storage_lock = acquire(storage_claim(options.storage))
        stored = self.table.load()
        if stored:
            log.info("%d routes are there from before (--storage %s)", stored, options.storage)
        if options.default_target:
            try:
                self.table.add("/", {"target": options.default_target})
            except ValueError as error:
                raise UsageError(f"--default-target: {error}") from None
        if self._access_log is not None:
            self._access_log.attach(log)
        context = None
        if self._certificates is not None:
            self._certificates.start()
            context = self._certificates.handshakes.context
        limit = new_connection_limit(self._limits)
        server = Http1Server(self._dispatcher, limits=self._limits, connection_limit=limit)
        redirects = Http1Server(
            self._dispatcher, limits=self._limits, connection_limit=limit, plain_redirects=True
        )
        self._servers = [server, redirects]
        self._memory = MemoryReclaimer(monotonic())
        checks = [self._check_clients, self._check_targets, self._check_memory]
        self._tasks = [
            spawn(run_periodically(checks, CHECK_SECONDS), "timeouts"),
            spawn(run_periodically([self._keep_house], HOUSEKEEPING_SECONDS), "housekeeping"),
        ]
        # The API first: a Hub may come as soon as the public port answers.
        api = RoutesApi(self.table, self.token, self._api_counts, by_host=options.host_routing)
        api_context = self._api_tls.context if self._api_tls is not None else None
        await self._open(
            options.api, make_api_app(api, self._api_counts), "--api-port", api_context
        )
        if options.metrics is not None:
            collectors = [
                HubMetrics(self._counts, self._api_counts, self._look_ups, self._gauges())
            ]
            await self._open(options.metrics, make_hub_metrics_app(collectors), "--metrics-port")
        self._listeners += await open_public(options.public, server, context, "--port")
        if options.redirect_port is not None:
            plain = options.public._replace(port=options.redirect_port)
            self._listeners += await open_public(plain, redirects, None, "--redirect-port")
        self._pages.start_soon()

    def reload(self) -> None:
        """Read the certificates again now."""
        if self._certificates is not None:
            self._certificates.reload()
        if self._api_tls is not None:
            try:
                if self._api_tls.reload():
                    log.info("The API has a new certificate.")
            except OSError as error:
                log.debug("the API keeps its certificate: %s", error)

    async def stop(self, force: asyncio.Event) -> None:
        """Accept nothing new, finish open requests within ``drain_seconds``, then abort the rest.

        WebSockets are aborted without a close frame: Lab reconnects after that, but not
        after a close frame with code 1000 or 1001. ``force`` ends the wait early.
        """
        for listener in self._listeners:
            listener.close()
        for server in self._servers:
            server.drain()
        open_requests = self._dispatcher.services.open_requests
        endings: list[asyncio.Future[Any]] = [
            asyncio.ensure_future(open_requests.drained()),
            asyncio.ensure_future(force.wait()),
        ]
        _, pending = await asyncio.wait(
            endings,
            timeout=self._options.drain_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )
        for task in (*pending, *self._tasks):
            task.cancel()
        for tunnel in list(open_requests.tunnels):
            tunnel.abort()
        for server in self._servers:
            await server.shutdown(timeout=0.5)
        for close in self._applications:
            await close()
        try:
            self.table.save()
        except OSError as error:
            log.error("--storage: the routes' last activity is lost: %s", error.strerror)
        self.table.close()
        if self._storage_lock is not None:
            self._storage_lock.close()
        self._pages_pool.close()
        await self._pages.stop()
        if self._access_log is not None:
            self._access_log.flush()
            self._access_log.detach(log)

    async def _open(
        self, endpoint: Endpoint, app: web.Application, flag: str, context: Any = None
    ) -> None:
        self._applications.append(await open_application(endpoint, app, context, flag))

    def _observers(self) -> Observers:
        end: list[Observer] = [self._access_log] if self._access_log is not None else []
        if self._options.metrics is None:
            return Observers(end=tuple(end))
        return Observers(start=(self._counts.begun,), end=(*end, self._counts.ended))

    def _certificate_store(self) -> CertificateStore | None:
        tls = self._options.tls
        if tls is None:
            return None
        source = CertificateSource("", "files", tls.cert, tls.key, passphrase=tls.passphrase)
        handshakes = Handshakes()
        if tls.request_cert:
            handshakes.ask_for_certificates(tls.ca, required=tls.require_cert)
        return CertificateStore([source], handshakes, [])

    def _open_route(self, route: HubRoute) -> Route:
        pool = Pool(route.target.address, response_seconds=self._options.response_seconds)
        return self._router.open_route(route, pool)

    def _make_pages(self) -> web.Application:
        return make_pages_app(self._error_pages)

    def _parsed_error_target(self) -> RouteTarget | None:
        url = self._options.error_target
        try:
            return parse_target(url, self._client_tls) if url else None
        except ValueError as error:
            raise UsageError(f"--error-target: {error}") from None

    def _gauges(self) -> Any:
        open_requests = self._dispatcher.services.open_requests
        server = self._servers[0]
        return {
            "connections": ("Open connections.", lambda: len(server.connection_limit)),
            "tunnels": ("Open WebSockets.", lambda: len(open_requests.tunnels)),
            "routes": ("Routes.", lambda: len(self.table.by_path)),
            "requests_in_progress": (
                "Requests without a complete response, WebSockets not counted.",
                lambda: open_requests.count - len(open_requests.tunnels),
            ),
            "upstream_connections": (
                "Connections to targets, idle or busy, WebSockets not counted.",
                lambda: sum(pool.connections for pool in self.table.pools),
            ),
        }

    async def _check_clients(self) -> None:
        for listener in self._listeners:
            if isinstance(listener, Listener):
                await listener.enforce_timeouts()
        for server in self._servers:
            await server.enforce_timeouts()

    async def _check_targets(self) -> None:
        for pool in (self._pages_pool, *self.table.pools):
            await pool.check_times()

    async def _check_memory(self) -> None:
        self._memory.check(len(self._servers[0].connection_limit), monotonic())

    async def _keep_house(self) -> None:
        """What need not be done at once."""
        self.reload()
        self.table.forget_idle()
        try:
            if monotonic() - self._saved_at > SAVE_SECONDS:
                self._saved_at = monotonic()
                self.table.save()
            else:
                self.table.compact()
        except OSError as error:
            log.error("--storage %s cannot be written: %s", self._options.storage, error.strerror)
