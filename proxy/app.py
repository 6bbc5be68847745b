"""Composition root: what is opened, in which order, and how it ends."""

from __future__ import annotations

import asyncio
import logging
from time import monotonic
from typing import TYPE_CHECKING, Any

from proxy.builders import (
    SharedResources,
    bind_ports,
    build_access_control,
    build_certificate_store,
    build_header_printer,
    build_jupyter_pool,
    build_router,
    build_server,
    build_site,
    build_web_app_pool,
    fit_to_descriptors,
)
from proxy.certs.acme.solvers import TlsAlpnResponder, challenge_folder
from proxy.certs.renewal import renew_certificates
from proxy.certs.store import CertificateStore
from proxy.certs.watch import watch
from proxy.config.settings import Settings
from proxy.inspector.inspector import Inspector
from proxy.inspector.recorder import CaptureOptions
from proxy.inspector.ring import Ring
from proxy.jupyter.readiness import is_ready, is_silent
from proxy.jupyter.served_jupyter import ServedJupyter
from proxy.measures import Measures
from proxy.messages import Dispatch
from proxy.net.limits import Limits, new_connection_limit
from proxy.net.listener import Listener, listen
from proxy.net.ports import BACKLOG, Ports
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.access_log import AccessLog
from proxy.observe.measurements import Counts, Now
from proxy.observe.record import Observers
from proxy.observe.traffic import Traffic
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.page_deadline import PageDeadline
from proxy.rules.networks import NO_NETWORKS, Networks
from proxy.runtime.memory import MemoryReclaimer
from proxy.runtime.periodic import run_periodically
from proxy.runtime.tasks import spawn
from proxy.web.in_process import InProcessUpstream

if TYPE_CHECKING:
    from aiohttp import web

    from proxy.http1.server import Http1Server
    from proxy.web.front.server import AiohttpServer

log = logging.getLogger("labgate")

CHECK_SECONDS = 0.5
WORKER_RING_OCTETS = 4 * 1024 * 1024


class Application:
    """The whole proxy: start it, stop it.

    The order matters: certificates and ports first, because they fail fast and cost
    nothing; Jupyter's address may come later (``connect_to``), until then requests get
    503 and the waiting page.

    Args:
        settings: The configuration.
        access_log: Whether to write one.
        renew: Whether to obtain and renew what comes from ACME.
        shared: Given to one of several workers; their supervisor looks after the rest.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        access_log: bool,
        renew: bool = True,
        shared: SharedResources | None = None,
    ) -> None:
        self._settings = settings
        self._shared = shared
        self._renew = renew
        self._upstream: UpstreamAddress | None = None
        self.jupyter = ServedJupyter()
        """What is known of the Jupyter that is served."""
        self._limits = Limits(**settings.limits.model_dump())
        self._pool = build_jupyter_pool(settings)
        self._web = InProcessUpstream(self._make_web_application, self._limits)
        self._web_pool = build_web_app_pool(self._web)
        page_seconds = settings.upstream.page_seconds
        self._page_deadline = PageDeadline(self._pool, page_seconds, self._upstream_responds)
        logged = access_log and log.isEnabledFor(logging.INFO)
        self.access_log = AccessLog(health=settings.log.health) if logged else None
        """None if there is none."""
        traffic = Traffic() if settings.listen.metrics else None
        self._trusted = Networks(settings.access.trusted_proxies)
        self._router = build_router(settings, self._limits, self._pool, self._web_pool)
        self._dispatcher = Dispatcher(
            self._router,
            Observers(
                head=() if traffic is None else (traffic.on_head,),
                end=tuple(one for one in (self.access_log, traffic) if one is not None),
            ),
            access_log=self.access_log is not None,
        )
        services = self._dispatcher.services
        self.measures = Measures(self._router, self._pool, services.open_requests, traffic)
        # A worker's supervisor holds what it captured.
        ring = Ring() if shared is None else Ring(max_octets=WORKER_RING_OCTETS)
        self.inspector = Inspector(ring, self._dispatcher.services.use_recorder)
        """Off, unless the configuration switches it on."""
        if settings.log.show_headers:
            self.inspector.ring.listen(build_header_printer(settings))
        if settings.log.show_headers or settings.inspector.enabled:
            self.inspector.switch(CaptureOptions(content=settings.inspector.content))
        self._checks_task: asyncio.Task[None] | None = None
        self._listeners: list[Listener | asyncio.Server] = []
        self._servers: list[Http1Server | AiohttpServer] = []
        self._watch_task: asyncio.Task[None] | None = None
        self._challenge_task: asyncio.Task[None] | None = None
        self._renewal_task: asyncio.Task[None] | None = None
        self.certificates: CertificateStore | None = None
        """Without TLS there are none."""
        if settings.listen.tls:
            self.certificates = build_certificate_store(settings, worker=shared is not None)

    async def start(self, ports: Ports | None = None) -> None:
        """Open every port.

        Args:
            ports: Instead of those that the configuration names.

        Raises:
            StartError: A certificate or a port is not available, or the htpasswd file is
                invalid.
        """
        settings = self._settings
        if self.access_log is not None:
            self.access_log.attach(log)
        self._router.protect(build_access_control(settings, self._shared))
        context = None
        if self.certificates is not None:
            self.certificates.start()
            context = self.certificates.handshakes.context
        if ports is None:
            ports = bind_ports(settings) if self._shared is None else self._shared.ports
        limits = fit_to_descriptors(self._limits, settings)
        connection_limit = new_connection_limit(limits, self._trusted)
        server = build_server(settings, self._dispatcher, limits, connection_limit)
        redirects = build_server(
            settings, self._dispatcher, limits, connection_limit, plain_redirects=True
        )
        self._servers = [server, redirects]
        self._memory = MemoryReclaimer(monotonic())
        # One timer enforces every timeout; a timer of its own would cost each request.
        checks = [self._check_clients, self._check_upstreams, self._check_memory]
        self._checks_task = spawn(run_periodically(checks, CHECK_SECONDS), "timeouts")
        proxy_protocol_senders = self._trusted if settings.access.proxy_protocol else NO_NETWORKS
        for listening in ports.main:
            self._listeners.append(
                await listen(server, listening, context, BACKLOG, proxy_protocol_senders)
            )
        for listening in ports.plain:
            self._listeners.append(
                await listen(redirects, listening, None, BACKLOG, proxy_protocol_senders)
            )
        if self.certificates is not None:
            self.certificates.publish_status()
            self._watch_task = spawn(watch(self.certificates), "certificates")
            alpn = TlsAlpnResponder(settings.state_folder, self.certificates.set_challenge)
            self._challenge_task = spawn(alpn.run(), "challenges")
            if self._renew and self.certificates.managed[0].source.kind == "ACME":
                self._renewal_task = spawn(
                    renew_certificates(settings, self.certificates), "renewal"
                )
        self.measures.start()
        self._web.start_soon()

    async def measured(self) -> tuple[Counts, Now]:
        """What only grows, and what goes up and down."""
        return self.measures.counts(), self.measures.now(self.connections)

    @property
    def connections(self) -> int:
        """Open connections of clients."""
        return len(self._servers[0].connection_limit)

    @property
    def upstream(self) -> UpstreamAddress | None:
        """Jupyter's address; None if it is not known yet."""
        return self._upstream

    @property
    def dispatch(self) -> Dispatch:
        """Takes requests that labgate sends itself."""
        return self._dispatcher

    def reload(self) -> None:
        """Read the certificates again now, instead of within the next seconds."""
        if self._watch_task is not None and self.certificates is not None:
            self.certificates.reload()

    def connect_to(self, address: UpstreamAddress) -> None:
        """Forward to ``address``, whether Jupyter is ready there or not."""
        self._upstream = address
        self._pool.move(address)
        self._router.use(build_site(self._settings, address))

    async def stop(self, force: asyncio.Event | None = None) -> None:
        """Accept nothing new, finish open requests within ``drain_seconds``, then abort the rest.

        WebSockets are aborted without a close frame: Lab reconnects after that, but not
        after a close frame with code 1000 or 1001. ``force`` ends the wait early.
        """
        for task in (self._challenge_task, self._renewal_task):
            if task is not None:
                task.cancel()
        if self._watch_task is not None and self.certificates is not None:
            self._watch_task.cancel()
            self.certificates.close()
        for listener in self._listeners:
            listener.close()
        for server in self._servers:
            server.drain()
        open_requests = self._dispatcher.services.open_requests
        endings: list[asyncio.Future[Any]] = [asyncio.ensure_future(open_requests.drained())]
        if force is not None:
            endings.append(asyncio.ensure_future(force.wait()))
        seconds = self._settings.listen.drain_seconds
        _, pending = await asyncio.wait(
            endings, timeout=seconds, return_when=asyncio.FIRST_COMPLETED
        )
        for ending in pending:
            ending.cancel()
        if self._checks_task is not None:
            self._checks_task.cancel()
        self.measures.stop()
        for tunnel in list(open_requests.tunnels):
            tunnel.abort()
        for server in self._servers:
            await server.shutdown(timeout=0.5)
        self._pool.close()
        self._web_pool.close()
        await self._web.stop()
        if self.access_log is not None:
            self.access_log.flush()
            self.access_log.detach(log)

    async def _check_clients(self) -> None:
        for listener in self._listeners:
            if isinstance(listener, Listener):
                await listener.enforce_timeouts()
        for server in self._servers:
            await server.enforce_timeouts()

    async def _check_upstreams(self) -> None:
        for route in self._router.routes:
            await route.pool.check_times()
        self._page_deadline.look(monotonic())

    async def _check_memory(self) -> None:
        self._memory.check(self.connections, monotonic())

    def _make_web_application(self) -> web.Application:
        from proxy.web.app import make_app  # noqa: PLC0415  see InProcessUpstream

        webroot = self._settings.acme.webroot
        folders = [challenge_folder(self._settings.state_folder)]
        if webroot is not None:
            folders.append(webroot / ".well-known" / "acme-challenge")
        access_control = self._router.jupyter.access_control
        return make_app(
            upstream_answers=self._upstream_answers,
            challenge_folders=folders,
            end_sessions=access_control.log_out if access_control is not None else None,
        )

    async def _upstream_answers(self) -> bool:
        address = self._upstream
        return address is not None and await is_ready(address)

    async def _upstream_responds(self, seconds: float) -> bool:
        address = self._upstream
        return address is not None and not await is_silent(address, seconds)
