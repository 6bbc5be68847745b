"""Composition root: what is opened, in which order, how it changes, and how it ends."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from time import monotonic

from proxy.access.access_control import AccessControl
from proxy.access.lockout import Lockout
from proxy.access.login_state import LoginState
from proxy.builders import (
    UNKNOWN_UPSTREAM,
    SharedResources,
    bind_ports,
    build_access_control,
    build_jupyter_pool,
    build_router,
    build_site,
    build_static_cache,
    change_jupyter_pool,
)
from proxy.certs.service import CertificateService
from proxy.certs.store import CertificateStore
from proxy.config.settings import Settings
from proxy.edge import Edge
from proxy.inspector.inspector import Inspector
from proxy.inspector.ring import Ring
from proxy.jupyter.readiness import is_silent
from proxy.jupyter.served_jupyter import ServedJupyter
from proxy.measures import Measures
from proxy.messages import Dispatch
from proxy.net.limits import Limits
from proxy.net.ports import Ports
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.measurements import Counts, Now
from proxy.observe.traffic import Traffic
from proxy.own_paths import OwnPaths
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.page_deadline import PageDeadline
from proxy.reporting import Reporting
from proxy.rules.networks import Networks
from proxy.runtime.memory import MemoryReclaimer
from proxy.runtime.periodic import run_periodically
from proxy.runtime.tasks import spawn

CHECK_SECONDS = 0.5
WORKER_RING_OCTETS = 4 * 1024 * 1024
DIGEST_KEY_BYTES = 32


class Application:
    """The whole proxy: start it, change its configuration, stop it.

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
        self._upstream: UpstreamAddress | None = None
        self.jupyter = ServedJupyter()
        """What is known of the Jupyter that is served."""
        access = settings.access
        self.lockout = Lockout(access.login_failures, access.lockout_seconds)
        """Who is locked out."""
        self._digest_key = secrets.token_bytes(DIGEST_KEY_BYTES)
        if shared is not None:
            self.lockout, self._digest_key = shared.lockout, shared.digest_key
        limits = Limits(**settings.limits.model_dump())
        self._pool = build_jupyter_pool(settings)
        self._own_paths = OwnPaths(
            settings, limits, lambda: self._upstream, lambda: self._router.jupyter.access_control
        )
        self._page_deadline = self._new_page_deadline(settings)
        traffic = Traffic() if settings.listen.metrics else None
        self._router = build_router(settings, limits, self._pool, self._own_paths.pool)
        self._static_cache = build_static_cache(settings, self._pool)
        self._router.keep_files(self._static_cache)
        self._dispatcher = Dispatcher(self._router)
        services = self._dispatcher.services
        services.open_requests.ping_seconds = settings.listen.ping_seconds
        self.measures = Measures(
            self._router, self.lockout, self._pool, services.open_requests, traffic
        )
        # A worker's supervisor holds what it captured.
        ring = Ring() if shared is None else Ring(max_octets=WORKER_RING_OCTETS)
        self.inspector = Inspector(ring, self._dispatcher.services.use_recorder)
        """Off, unless the configuration switches it on."""
        self._reporting = Reporting(services, self.inspector, traffic)
        self._reporting.prepare(settings, access_log=access_log)()
        self._checks_task: asyncio.Task[None] | None = None
        self._edge: Edge | None = None
        self._certificates: CertificateService | None = None
        if settings.listen.tls:
            self._certificates = CertificateService(
                settings, is_worker=shared is not None, renews=renew
            )

    async def start(self, ports: Ports | None = None) -> None:
        """Open every port.

        Args:
            ports: Instead of those that the configuration names.

        Raises:
            StartError: A certificate or a port is not available, or the htpasswd file is
                invalid.
        """
        self._reporting.start()
        self._router.protect(self._build_access_control(self._settings, self._shared))
        context = None
        if self._certificates is not None:
            self._certificates.start()
            context = self._certificates.store.handshakes.context
        if ports is None:
            ports = bind_ports(self._settings) if self._shared is None else self._shared.ports
        self._edge = edge = Edge(self._settings, self._dispatcher)
        self._memory = MemoryReclaimer(monotonic())
        # One timer enforces every timeout; a timer of its own would cost each request.
        ping_silent = self._dispatcher.services.open_requests.ping_silent
        checks = [edge.enforce_timeouts, self._check_upstreams, self._check_memory, ping_silent]
        self._checks_task = spawn(run_periodically(checks, CHECK_SECONDS), "timeouts")
        await edge.open(ports, context)
        if self._certificates is not None:
            self._certificates.run()
        self.measures.start()
        self._own_paths.start_soon()
        if self._static_cache is not None:
            self._static_cache.start()

    async def measured(self) -> tuple[Counts, Now]:
        """What only grows, and what goes up and down."""
        return self.measures.counts(), self.measures.now(self.connections)

    @property
    def connections(self) -> int:
        """Open connections of clients."""
        return self._edge.connections if self._edge is not None else 0

    @property
    def certificates(self) -> CertificateStore | None:
        """The certificates in service; None without TLS."""
        return self._certificates.store if self._certificates is not None else None

    @property
    def upstream(self) -> UpstreamAddress | None:
        """Jupyter's address; None if it is not known yet."""
        return self._upstream

    @property
    def dispatch(self) -> Dispatch:
        """Takes requests that labgate sends itself."""
        return self._dispatcher

    def look_at_certificates(self) -> None:
        """Read the certificates again now, instead of within the next seconds."""
        if self._certificates is not None:
            self._certificates.look()

    async def prepare(
        self, settings: Settings, *, access_log: bool, shared: SharedResources | None = None
    ) -> Callable[[], None]:
        """Load everything that another configuration needs; nothing changes yet.

        Args:
            settings: It differs only in keys that a reload may change (``config.reloading``).
            access_log: Whether to write one.
            shared: Given to a worker, as at the start.

        Returns:
            Puts it into force: from the next request on. What is open lives on.

        Raises:
            StartError: A file that it names cannot be used, or a value means nothing.
        """
        access_control = self._build_access_control(settings, shared)
        report = self._reporting.prepare(settings, access_log=access_log)
        serve = self._certificates.prepare(settings) if self._certificates is not None else None

        def apply() -> None:
            report()
            if serve is not None:
                serve()
            self._apply(settings, access_control)

        return apply

    def _apply(self, settings: Settings, access_control: AccessControl | None) -> None:
        self._settings = settings
        access, limits = settings.access, Limits(**settings.limits.model_dump())
        self.lockout.change(access.login_failures, access.lockout_seconds)
        self._router.protect(access_control)
        self._router.change_limits(limits, Networks(access.trusted_proxies))
        if self._edge is not None:
            self._edge.change(settings)
        self._dispatcher.services.open_requests.ping_seconds = settings.listen.ping_seconds
        change_jupyter_pool(self._pool, settings)
        self._page_deadline = self._new_page_deadline(settings)
        self._own_paths.change(settings)
        self._router.use(build_site(settings, self._upstream or UNKNOWN_UPSTREAM))

    def reload_remarks(self) -> list[str]:
        """What a reload did not change, in sentences without a full stop."""
        return self._certificates.remarks() if self._certificates is not None else []

    def connect_to(self, address: UpstreamAddress) -> None:
        """Forward to ``address``, whether Jupyter is ready there or not."""
        self._upstream = address
        self._pool.move(address)
        self._router.use(build_site(self._settings, address))

    @property
    def ports(self) -> list[Ports]:
        """The open public ports."""
        return [self._edge.ports] if self._edge is not None else []

    def login_state(self) -> LoginState:
        """What is known of failed logins, for a successor."""
        return LoginState(self._digest_key.hex(), self.lockout.updates())

    def continue_logins(self, state: LoginState) -> None:
        """Count on where a predecessor was; the first time before ``start``."""
        self._digest_key = bytes.fromhex(state.digest_key)
        for update in state.updates:
            self.lockout.apply(update)

    def leave_to_others(self) -> None:
        """Accept nothing new, and renew nothing: a successor does."""
        if self._certificates is not None:
            self._certificates.leave_to_others()
        if self._edge is not None:
            self._edge.leave_to_others()

    async def wait_for_clients(self, seconds: float | None, force: asyncio.Event) -> None:
        """Wait until no client is connected, ``seconds`` at most, or until ``force`` is set."""
        if self._edge is not None:
            await self._edge.wait_for_clients(seconds, force)

    async def stop(self, force: asyncio.Event | None = None) -> None:
        """Accept nothing new, finish open requests within ``drain_seconds``, then abort the rest.

        WebSockets are aborted without a close frame: Lab reconnects after that, but not
        after a close frame with code 1000 or 1001. ``force`` ends the wait early.
        """
        if self._certificates is not None:
            self._certificates.stop()
        if self._edge is not None:
            await self._edge.drain(force)
        open_requests = self._dispatcher.services.open_requests
        await open_requests.drain(self._settings.listen.drain_seconds, force)
        if self._checks_task is not None:
            self._checks_task.cancel()
        self.measures.stop()
        for tunnel in list(open_requests.tunnels):
            tunnel.abort()
        if self._edge is not None:
            await self._edge.shut_down()
        if self._static_cache is not None:
            self._static_cache.close()
        self._dispatcher.services.compressor.close()
        self._pool.close()
        await self._own_paths.stop()
        self._reporting.stop()

    def _build_access_control(
        self, settings: Settings, shared: SharedResources | None
    ) -> AccessControl | None:
        return build_access_control(settings, self.lockout, self._digest_key, shared)

    def _new_page_deadline(self, settings: Settings) -> PageDeadline:
        return PageDeadline(self._pool, settings.upstream.page_seconds, self._upstream_responds)

    async def _check_upstreams(self) -> None:
        for route in self._router.routes:
            await route.pool.check_times()
        self._page_deadline.look(monotonic())

    async def _check_memory(self) -> None:
        self._memory.check(self.connections, monotonic())

    async def _upstream_responds(self, seconds: float) -> bool:
        address = self._upstream
        return address is not None and not await is_silent(address, seconds)
