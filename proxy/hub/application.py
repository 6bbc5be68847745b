"""Serves clients in one process: a Hub's proxy has one application, or one in each worker.

Tested by tests/hub/test_hub_proxy.py and tests/hub/test_contract.py.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable, Collection
from time import monotonic

from aiohttp import web

from proxy.edge import Edge
from proxy.errors import UsageError
from proxy.http1.server import Http1Server
from proxy.hub.counts import Measured, RequestCounter
from proxy.hub.error_pages import ErrorPages, make_pages_app
from proxy.hub.hub_route import HubRoute
from proxy.hub.options import HubOptions
from proxy.hub.public_tls import PublicTls
from proxy.hub.route_table import RouteTable
from proxy.hub.router import HubRouter, LookUps
from proxy.hub.sites import hub_limits, hub_site
from proxy.hub.targets import RouteTarget, parse_target
from proxy.inspector.inspector import Inspector
from proxy.inspector.replay_front import send_through_rules
from proxy.inspector.ring import Ring
from proxy.measures import traffic_counts
from proxy.net.limits import new_connection_limit, new_request_limit
from proxy.net.ports import Ports
from proxy.observe.access_log import AccessLog
from proxy.observe.loop_lag import LoopLag
from proxy.observe.measurements import Now
from proxy.observe.record import Observer, Observers
from proxy.observe.traffic import Traffic
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.pool import Pool
from proxy.proxying.router import Route
from proxy.rules.head import RequestHead
from proxy.runtime.last_problems import last_problems
from proxy.runtime.memory import MemoryReclaimer
from proxy.runtime.periodic import run_periodically
from proxy.runtime.resident_memory import resident_bytes
from proxy.runtime.tasks import spawn
from proxy.web.in_process import InProcessUpstream
from proxy.workers.process_report import ProcessReport

log = logging.getLogger("labgate")

CHECK_SECONDS = 0.5
HOUSEKEEPING_SECONDS = 2.0
PAGE_SECONDS = 30.0


class HubApplication:
    """Serves clients by the routes of a table.

    Attributes:
        limits: Towards clients.
        inspector: Captures what passes here; off until somebody switches it on.
        dispatch: Takes every request, also those that labgate sends itself.
        tls: Towards clients; None for plain HTTP.

    Args:
        options: What the command line says.
        table: The routes; it gets its connections here.
        ports: Gives the sockets to serve.
        ring: Gets what the inspector captures.

    Raises:
        StartError: An option cannot be used.
    """

    def __init__(
        self,
        options: HubOptions,
        table: RouteTable,
        ports: Callable[[], Ports],
        ring: Ring | None = None,
    ) -> None:
        self._options = options
        self._ports = ports
        self._table = table
        self.limits = hub_limits(options)
        look_ups = LookUps()
        self._counter = RequestCounter(look_ups)
        self._traffic = Traffic() if options.metrics is not None else None
        self._lag = LoopLag()
        self._error_pages = ErrorPages(_error_target(options), options.error_path)
        self._pages = InProcessUpstream(self._make_pages, self.limits)
        self._pages_pool = Pool(
            self._pages, connect_timeout_seconds=PAGE_SECONDS, response_seconds=PAGE_SECONDS
        )
        self._router = HubRouter(
            hub_site(options),
            self._pages_pool,
            new_request_limit(self.limits),
            by_host=options.host_routing,
            include_prefix=options.include_prefix,
            prepend_path=options.prepend_path,
            look_ups=look_ups if options.metrics is not None else None,
        )
        self._router.use(table)
        table.use(self._open_route)
        self._access_log = AccessLog() if log.isEnabledFor(logging.DEBUG) else None
        self.dispatch = Dispatcher(
            self._router, self._observers(), access_log=self._access_log is not None
        )
        use_recorder = self.dispatch.services.use_recorder
        self.inspector = Inspector(ring if ring is not None else Ring(), use_recorder)
        self.tls = PublicTls(options.tls) if options.tls is not None else None
        limit = new_connection_limit(self.limits)
        main, plain = (
            Http1Server(
                self.dispatch,
                limits=self.limits,
                connection_limit=limit,
                plain_redirects=redirects,
            )
            for redirects in (False, True)
        )
        self._edge = Edge(main, plain, limit)
        self._memory = MemoryReclaimer(monotonic())
        self._tasks: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        """Prepare everything that does not need the routes.

        Raises:
            StartError: A certificate cannot be used.
        """
        if self.tls is not None:
            self.tls.start()

    async def open(self) -> None:
        """Accept connections."""
        if self._access_log is not None:
            self._access_log.attach(log)
        context = self.tls.store.handshakes.context if self.tls is not None else None
        await self._edge.open(self._ports(), context)
        checks = [self._edge.enforce_timeouts, self._check_targets, self._check_memory]
        self._tasks = [
            spawn(run_periodically(checks, CHECK_SECONDS), "timeouts"),
            spawn(run_periodically([self._keep_house], HOUSEKEEPING_SECONDS), "housekeeping"),
        ]
        self._pages.start_soon()
        if self._traffic is not None:
            self._lag.start()

    def reload(self) -> None:
        """Read the certificates again now."""
        if self.tls is not None:
            self.tls.reload()

    async def replay(self, head: RequestHead, content: bytes) -> int:
        """Send a request as if a client had; gives the exchange's number."""
        return await send_through_rules(self.dispatch, self.inspector.ring, head, content)

    def measured(self) -> Measured:
        """The counts and measurements of this process."""
        open_requests = self.dispatch.services.open_requests
        websockets = len(open_requests.tunnels)
        pools = list(self._table.pools)
        idle = sum(pool.idle for pool in pools)
        now = Now(
            connections=self._edge.connections,
            websockets=websockets,
            requests=open_requests.count - websockets,
            idle_connections=idle,
            busy_connections=sum(pool.connections for pool in pools) - idle,
            memory_bytes=resident_bytes(os.getpid()),
            loop_lag_seconds=self._lag.seconds,
        )
        counts = traffic_counts(self._traffic, open_requests)
        counts.add_refused_heads(self._edge.refused_heads)
        return Measured(self._counter.counts, counts, now)

    def report(self) -> ProcessReport:
        """The report of this process, for ``labgate status``."""
        now = self.measured().now
        return ProcessReport(
            os.getpid(),
            memory_bytes=now.memory_bytes,
            connections=now.connections,
            websockets=now.websockets,
            requests=now.requests,
            problems=last_problems(),
        )

    async def accept_for_others(self, vacant: Collection[int]) -> None:
        """As ``Edge.accept_for_others``."""
        await self._edge.accept_for_others(vacant)

    def leave_to_others(self) -> None:
        """Accept nothing new: another process does that on the same sockets."""
        self._edge.leave_to_others()

    async def wait_for_clients(self, force: asyncio.Event) -> None:
        """Wait until no client is connected, or until ``force`` is set."""
        await self._edge.wait_for_clients(None, force)

    async def stop(self, force: asyncio.Event) -> None:
        """Accept nothing new, finish open requests within ``drain_seconds``, then abort the rest.

        WebSockets are aborted without a close frame: Lab reconnects after that, but not
        after a close frame with code 1000 or 1001. ``force`` ends the wait early.
        """
        await self._edge.drain(force)
        open_requests = self.dispatch.services.open_requests
        await open_requests.drain(self._options.drain_seconds, force)
        self._lag.stop()
        for task in self._tasks:
            task.cancel()
        for tunnel in list(open_requests.tunnels):
            tunnel.abort()
        await self._edge.shut_down()
        self._table.close_connections()
        self._pages_pool.close()
        await self._pages.stop()
        if self._access_log is not None:
            self._access_log.flush()
            self._access_log.detach(log)

    def _observers(self) -> Observers:
        end: list[Observer] = [self._access_log] if self._access_log is not None else []
        traffic = self._traffic
        if traffic is None:
            return Observers(end=tuple(end))
        return Observers(
            (self._counter.begun,), (traffic.on_head,), (*end, self._counter.ended, traffic)
        )

    def _open_route(self, route: HubRoute) -> Route:
        target = self._table.target(route)
        pool = Pool(target.address, response_seconds=self._options.response_seconds)
        return self._router.open_route(route, target, pool)

    def _make_pages(self) -> web.Application:
        return make_pages_app(self._error_pages)

    async def _check_targets(self) -> None:
        for pool in (self._pages_pool, *self._table.pools):
            await pool.check_times()

    async def _check_memory(self) -> None:
        self._memory.check(self._edge.connections, monotonic())

    async def _keep_house(self) -> None:
        self.reload()
        self._table.forget_idle()


def _error_target(options: HubOptions) -> RouteTarget | None:
    url = options.error_target
    try:
        return parse_target(url, options.client_tls) if url else None
    except ValueError as error:
        raise UsageError(f"--error-target: {error}") from None
