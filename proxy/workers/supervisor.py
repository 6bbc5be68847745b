"""The supervisor: what all workers share, and one of each; it serves no requests itself."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import asdict
from itertools import count

from proxy.access.login_state import LoginState
from proxy.access.revoked_sessions import Revocation
from proxy.builders import bind_ports
from proxy.certificate_service import CertificateService
from proxy.certs.store import CertificateStore
from proxy.config.settings import Settings
from proxy.errors import StartError
from proxy.jupyter.served_jupyter import ServedJupyter
from proxy.net.ports import Ports
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.measurements import Counts, Now, all_of, sum_of
from proxy.rules.head import RequestHead
from proxy.runtime.resident_memory import resident_bytes
from proxy.runtime.tasks import spawn

from .channel import WorkerMessage, WorkerReload, WorkerSetup
from .process_report import ProcessReport
from .shared_access import SharedAccess
from .sockets import descriptors, ports_per_worker
from .worker_group import WorkerGroup
from .worker_process import WorkerProcess, first_refusal


class Supervisor:
    """Has the interface of ``Application``, and runs several worker processes."""

    def __init__(self, settings: Settings, *, access_log: bool) -> None:
        self._settings = settings
        self._access_log = access_log
        self.upstream: UpstreamAddress | None = None
        """Jupyter's address; None if it is not known yet."""
        self.jupyter = ServedJupyter()
        """Facts about the Jupyter that labgate serves."""
        self._group = WorkerGroup(self._start_worker, self._forget)
        self.inspector = self._group.captures.inspector
        self._access = SharedAccess()
        self._ended = Counts()
        """The counts of workers that have ended."""
        self._certificates: CertificateService | None = None
        if settings.listen.tls:
            self._certificates = CertificateService(settings, answers_challenges=False)
        self._reloading = asyncio.Lock()
        self._reload_numbers = count(1)

    async def start(self, ports: Ports | None = None) -> None:
        """Open every port, and wait until all workers serve.

        Args:
            ports: Instead of those that the configuration names.

        Raises:
            StartError: A certificate or a port is not available, or the htpasswd file is invalid.
        """
        settings = self._settings
        self._access.prepare(settings)
        if self._certificates is not None:
            self._certificates.start()
        if ports is None:
            ports = bind_ports(settings)
        # If they cannot be divided, ``stop`` closes them.
        self._group.ports = [ports]
        await self._group.start(ports_per_worker(ports, settings.listen.workers))
        await self._group.until_all_serve()
        if self._certificates is not None:
            self._certificates.run()

    @property
    def certificates(self) -> CertificateStore | None:
        """The certificates in service; None without TLS."""
        return self._certificates.store if self._certificates is not None else None

    async def prepare(self, settings: Settings, *, access_log: bool) -> Callable[[], None]:
        """Have all workers load another configuration; as ``Application.prepare``.

        Raises:
            StartError: The configuration cannot be used here or in a worker; none uses it.
        """
        async with self._reloading:
            self._access.prepare(settings)
            serve = self._certificates.prepare(settings) if self._certificates is not None else None
            reload = WorkerReload(
                next(self._reload_numbers),
                settings.model_dump(mode="json", exclude_unset=True),
                access_log,
                self._access.session_key.hex(),
                self._access.logouts,
            )
            prepared = tuple(self._group.running)
            if refusal := await first_refusal(prepared, reload):
                for worker in prepared:
                    worker.send({"forget": reload.number})
                raise StartError(refusal)

        def apply() -> None:
            if serve is not None:
                serve()
            self._settings, self._access_log = settings, access_log
            for worker in prepared:
                worker.send({"apply": reload.number})

        return apply

    def reload_remarks(self) -> list[str]:
        """What a reload did not change, in sentences without a full stop."""
        return self._certificates.remarks() if self._certificates is not None else []

    def connect_to(self, address: UpstreamAddress) -> None:
        """Tell all workers Jupyter's address; Jupyter may not run yet."""
        self.upstream = address
        self._group.broadcast({"upstream": asdict(address)})

    async def reports(self) -> list[ProcessReport]:
        """The report of each worker."""
        return await self._group.reports()

    async def replay(self, head: RequestHead, content: bytes) -> int:
        """As ``CapturesOfWorkers.replay``."""
        return await self._group.captures.replay(head, content)

    async def measured(self) -> tuple[Counts, Now]:
        """The counters and gauges of all processes."""
        reports = await self.reports()
        own = Now(memory_bytes=resident_bytes(os.getpid()))
        counts = sum_of([self._ended, *(report.counts for report in reports)])
        return counts, all_of([own, *(report.now for report in reports)])

    def unlock(self, address: str) -> None:
        """Lift a lockout in all workers, and in those that are started later."""
        self._access.forget(address)
        self._group.broadcast({"unlock": address})

    def login_state(self) -> LoginState:
        """Failed logins and lockouts, for a successor."""
        return LoginState(self._access.digest_key.hex(), list(self._access.logins))

    def continue_logins(self, state: LoginState) -> None:
        """Count on where a predecessor was; the first time before ``start``."""
        for update in self._access.continue_logins(state):
            self._group.broadcast({"login": update})

    @property
    def ports(self) -> list[Ports]:
        """The open public ports of every worker."""
        return self._group.ports

    def leave_to_others(self) -> None:
        """Have no worker accept, and renew nothing: a successor does."""
        if self._certificates is not None:
            self._certificates.leave_to_others()
        self._group.leave_to_others()

    async def wait_for_clients(self, seconds: float | None, force: asyncio.Event) -> None:
        """As ``WorkerGroup.wait_for_clients``."""
        await self._group.wait_for_clients(seconds, force)

    async def stop(self, force: asyncio.Event | None = None) -> None:
        """Close the ports, and have all workers drain; as ``WorkerGroup.stop``."""
        if self._certificates is not None:
            self._certificates.stop()
        for ports in self._group.ports:
            ports.close()
        await self._group.stop(self._settings.listen.drain_seconds, force)

    async def _start_worker(self, ports: Ports, others: Ports) -> WorkerProcess:
        """Start a worker, between two reloads."""
        async with self._reloading:
            inherited = [*ports.sockets, *others.sockets]
            worker = await WorkerProcess.start(inherited, self._on_update)
            # Nothing is awaited from here on: what all are told later reaches this one, too.
            worker.send(self._setup(ports, others).message())
            self._group.add(worker)
            return worker

    def _setup(self, ports: Ports, others: Ports) -> WorkerSetup:
        return WorkerSetup(
            settings=self._settings.model_dump(mode="json", exclude_unset=True),
            workers=self._settings.listen.workers,
            access_log=self._access_log,
            ports=descriptors(ports, others),
            session_key=self._access.session_key.hex(),
            digest_key=self._access.digest_key.hex(),
            upstream=None if self.upstream is None else asdict(self.upstream),
            logins=list(self._access.logins),
            logouts=self._access.logouts,
        )

    def _forget(self, worker: WorkerProcess) -> None:
        self._ended.add_all(worker.counts)

    def _on_update(self, sender: WorkerProcess, message: WorkerMessage) -> None:
        """Send a worker's update to the other workers."""
        if "logout" in message:
            spawn(self._save_logout(Revocation(*message["logout"])), "logout")
            return
        if self._group.captures.on_message(sender, message):
            return
        self._access.logins.append(message["login"])
        for worker in self._group.running - {sender}:
            worker.send(message)

    async def _save_logout(self, revocation: Revocation) -> None:
        """Save a logout, then broadcast it; the sender waits for that message."""
        await self._access.save_logout(revocation)
        self._group.broadcast({"logout": list(revocation)})
