"""Composition root: what is opened, in which order, how it changes, and how it ends."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection
from time import monotonic

from proxy.access.lockout import Lockout
from proxy.access.login_state import LoginState
from proxy.access.revoked_sessions import RevokedFile
from proxy.builders import SharedResources, bind_ports
from proxy.certificate_service import CertificateService
from proxy.certs.store import CertificateStore
from proxy.config.settings import Settings
from proxy.edge import Edge
from proxy.inspector.inspector import Inspector
from proxy.inspector.ring import WORKER_RING_OCTETS, Ring
from proxy.jupyter.served_jupyter import ServedJupyter
from proxy.measures import Measures
from proxy.messages import Dispatch
from proxy.net.ports import Ports
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.measurements import Counts, Now
from proxy.reporting import Reporting
from proxy.routes.logins import Logins
from proxy.routes.served_routes import ServedRoutes
from proxy.runtime.memory import MemoryReclaimer
from proxy.runtime.periodic import run_periodically
from proxy.runtime.tasks import spawn

TIMEOUT_CHECK_SECONDS = 0.5
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
        self.jupyter = ServedJupyter()
        """Facts about the Jupyter that labgate serves."""
        access = settings.access
        self.lockout = Lockout(access.login_failures, access.lockout_seconds)
        """The addresses that are locked out."""
        self._digest_key = secrets.token_bytes(DIGEST_KEY_BYTES)
        self._revoked_file = RevokedFile(settings.state_folder)
        if shared is not None:
            self.lockout, self._digest_key = shared.lockout, shared.digest_key
        self._routes = ServedRoutes(settings, self._dispatch_to)
        self.measures = Measures(
            lambda: self._routes,
            self.lockout,
            refused_heads=lambda: self._edge.refused_heads if self._edge is not None else {},
            lag=bool(settings.listen.metrics),
        )
        # A worker's supervisor holds what it captured.
        ring = Ring() if shared is None else Ring(max_octets=WORKER_RING_OCTETS, relays=True)
        self.inspector = Inspector(ring, self._routes.use_recorder)
        """Off, unless the configuration switches it on."""
        self._reporting = Reporting(self.inspector)
        self._routes.observe(self._reporting, self.measures)
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
        self._routes.prepare(self._settings, self._logins(self._settings, self._shared))()
        context = None
        if self._certificates is not None:
            self._certificates.start()
            context = self._certificates.store.handshakes.context
        if ports is None:
            ports = bind_ports(self._settings) if self._shared is None else self._shared.ports
        self._edge = edge = Edge.of(self._settings, self.dispatch)
        self._memory = MemoryReclaimer(monotonic())
        # One timer enforces every timeout; a timer of its own would cost each request.
        routes = self._routes
        checks = [edge.enforce_timeouts, routes.check_upstreams, self._check_memory]
        checks.append(routes.ping_silent)
        self._checks_task = spawn(run_periodically(checks, TIMEOUT_CHECK_SECONDS), "timeouts")
        await edge.open(ports, context)
        if self._certificates is not None:
            self._certificates.run()
        self.measures.start()
        routes.start()

    async def measured(self) -> tuple[Counts, Now]:
        """The counters and gauges of this process."""
        return self.measures.counts(), self.measures.now(self.connections)

    async def accept_for_others(self, vacant: Collection[int]) -> None:
        """As ``Edge.accept_for_others``."""
        if self._edge is not None:
            await self._edge.accept_for_others(vacant)

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
        return self._routes.site.address if self._routes.site is not None else None

    @property
    def dispatch(self) -> Dispatch:
        """Takes requests that labgate sends itself."""
        return self._routes.dispatch

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
        route = self._routes.prepare(settings, self._logins(settings, shared))
        report = self._reporting.prepare(settings, access_log=access_log)
        serve = self._certificates.prepare(settings) if self._certificates is not None else None

        def apply() -> None:
            report()
            if serve is not None:
                serve()
            self._apply(settings, route)

        return apply

    def _apply(self, settings: Settings, route: Callable[[], None]) -> None:
        self._settings = settings
        self.lockout.change(settings.access.login_failures, settings.access.lockout_seconds)
        if self._edge is not None:
            self._edge.change(settings)
        route()

    def reload_remarks(self) -> list[str]:
        """What a reload did not change, in sentences without a full stop."""
        return self._certificates.remarks() if self._certificates is not None else []

    def connect_to(self, address: UpstreamAddress) -> None:
        """Forward to ``address``, whether Jupyter is ready there or not."""
        self._routes.connect_to(address)

    @property
    def ports(self) -> list[Ports]:
        """The open public ports."""
        return [self._edge.ports] if self._edge is not None else []

    def login_state(self) -> LoginState:
        """Failed logins and lockouts, for a successor."""
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
        await self._routes.drain(self._settings.listen.drain_seconds, force)
        if self._checks_task is not None:
            self._checks_task.cancel()
        self.measures.stop()
        self._routes.cut_tunnels()
        if self._edge is not None:
            await self._edge.shut_down()
        await self._routes.close()
        self._reporting.stop()

    def _logins(self, settings: Settings, shared: SharedResources | None) -> Logins:
        return Logins(settings, self.lockout, self._digest_key, self._revoked_file, shared)

    def _dispatch_to(self, dispatch: Dispatch) -> None:
        if self._edge is not None:
            self._edge.dispatch_to(dispatch)

    async def _check_memory(self) -> None:
        self._memory.check(self.connections, monotonic())
