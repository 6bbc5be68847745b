"""The supervisor: starts, restarts and stops the workers; it serves no requests itself."""

from __future__ import annotations

import asyncio
import logging
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

from .captures import CapturesOfWorkers
from .channel import WorkerMessage, WorkerReload, WorkerSetup
from .process_report import ProcessReport
from .restarts import keep_running
from .shared_access import SharedAccess
from .sockets import ports_per_worker
from .vacancies import Vacancies
from .worker_check import kill_hanging_workers
from .worker_process import WorkerProcess, first_refusal, start_failure

log = logging.getLogger("labgate")

KILL_AFTER_SECONDS = 5.0
"""A worker that runs longer than ``drain_seconds`` and this after a stop is killed."""


class Supervisor:
    """Has the interface of ``Application``, and runs several worker processes."""

    def __init__(self, settings: Settings, *, access_log: bool) -> None:
        self._settings = settings
        self._access_log = access_log
        self.upstream: UpstreamAddress | None = None
        """Jupyter's address; None if it is not known yet."""
        self.jupyter = ServedJupyter()
        """Facts about the Jupyter that labgate serves."""
        self._captures = CapturesOfWorkers(lambda: self._workers)
        self.inspector = self._captures.inspector
        self._ports: list[Ports] = []
        self._vacancies = Vacancies(lambda: self._ports, self._broadcast)
        self._access = SharedAccess()
        self._workers: set[WorkerProcess] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False
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
        number = settings.listen.workers
        if ports is None:
            ports = bind_ports(settings)
        self._ports = [ports]
        self._ports = ports_per_worker(ports, number)
        first = await asyncio.gather(*(self._launch(index) for index in range(number)))
        for index, worker in enumerate(first):
            await worker.ready.wait()
            if not worker.serves:
                raise StartError(await start_failure(index, worker))
        for index, worker in enumerate(first):
            running = keep_running(
                index, worker, self._launch, self._wait_for_exit, self._vacancies
            )
            self._tasks.append(spawn(running, f"worker {index + 1}"))
        self._tasks.append(spawn(kill_hanging_workers(lambda: self._workers), "worker check"))
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
            )
            prepared = tuple(self._workers)
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
        self._broadcast({"upstream": asdict(address)})

    async def reports(self) -> list[ProcessReport]:
        """The report of each worker."""
        return await asyncio.gather(*(worker.report() for worker in self._workers))

    async def replay(self, head: RequestHead, content: bytes) -> int:
        """As ``CapturesOfWorkers.replay``."""
        return await self._captures.replay(head, content)

    async def measured(self) -> tuple[Counts, Now]:
        """The counters and gauges of all processes."""
        reports = await self.reports()
        own = Now(memory_bytes=resident_bytes(os.getpid()))
        counts = sum_of([self._ended, *(report.counts for report in reports)])
        return counts, all_of([own, *(report.now for report in reports)])

    def unlock(self, address: str) -> None:
        """Lift a lockout in all workers, and in those that are started later."""
        self._access.forget(address)
        self._broadcast({"unlock": address})

    def login_state(self) -> LoginState:
        """Failed logins and lockouts, for a successor."""
        return LoginState(self._access.digest_key.hex(), list(self._access.logins))

    def continue_logins(self, state: LoginState) -> None:
        """Count on where a predecessor was; the first time before ``start``."""
        for update in self._access.continue_logins(state):
            self._broadcast({"login": update})

    @property
    def ports(self) -> list[Ports]:
        """The open public ports of every worker."""
        return self._ports

    def leave_to_others(self) -> None:
        """Have no worker accept, and renew nothing: a successor does."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._certificates is not None:
            self._certificates.leave_to_others()
        self._broadcast({"leave": True})

    async def wait_for_clients(self, seconds: float | None, force: asyncio.Event) -> None:
        """Wait until all workers have ended, ``seconds`` at most, or until ``force`` is set."""
        ended = spawn(self._wait_for_all(), "end of all workers")
        forced = spawn(force.wait(), "force")
        await asyncio.wait({ended, forced}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, forced):
            task.cancel()

    async def stop(self, force: asyncio.Event | None = None) -> None:
        """Drain all workers for at most ``drain_seconds``, then kill those that still run.

        ``force`` ends the draining early.
        """
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        if self._certificates is not None:
            self._certificates.stop()
        for ports in self._ports:
            ports.close()
        self._broadcast({"stop": True})
        forcing = spawn(self._send_force(force), "force") if force is not None else None
        seconds = self._settings.listen.drain_seconds + KILL_AFTER_SECONDS
        try:
            async with asyncio.timeout(seconds):
                await self._wait_for_all()
        except TimeoutError:
            for worker in self._workers:
                log.error("worker process %d does not end; killing it", worker.pid)
                worker.kill()
            await self._wait_for_all()
        finally:
            if forcing is not None:
                forcing.cancel()

    async def _wait_for_all(self) -> None:
        while self._workers:
            await asyncio.gather(*(self._wait_for_exit(worker) for worker in self._workers))

    async def _send_force(self, force: asyncio.Event) -> None:
        await force.wait()
        self._broadcast({"force": True})

    async def _launch(self, index: int) -> WorkerProcess:
        """Start a worker with the sockets at this index, between two reloads."""
        async with self._reloading:
            return await self._start_process(index)

    async def _start_process(self, index: int) -> WorkerProcess:
        ports, others = self._ports[index], self._vacancies.others(index)
        inherited = [*ports.sockets, *others.sockets]
        worker = await WorkerProcess.start(inherited, self._on_update)
        # Nothing is awaited from here on: what all are told later reaches this one, too.
        self._workers.add(worker)
        setup = WorkerSetup(
            settings=self._settings.model_dump(mode="json", exclude_unset=True),
            workers=self._settings.listen.workers,
            access_log=self._access_log,
            main=[one.fileno() for one in ports.main],
            plain=[one.fileno() for one in ports.plain],
            given=ports.given,
            others_main=[one.fileno() for one in others.main],
            others_plain=[one.fileno() for one in others.plain],
            session_key=self._access.session_key.hex(),
            digest_key=self._access.digest_key.hex(),
            upstream=None if self.upstream is None else asdict(self.upstream),
            logins=list(self._access.logins),
            logouts=self._access.logouts,
        )
        worker.send(setup.message())
        self._captures.begin(worker)
        return worker

    async def _wait_for_exit(self, worker: WorkerProcess) -> str:
        how = await worker.wait_for_exit()
        if worker in self._workers:
            self._workers.discard(worker)
            self._ended.add_all(worker.counts)
            self._captures.ended(worker)
        return how

    def _on_update(self, sender: WorkerProcess, message: WorkerMessage) -> None:
        """Send a worker's update to the other workers."""
        if "logout" in message:
            spawn(self._save_logout(Revocation(*message["logout"])), "logout")
            return
        if self._captures.on_message(sender, message):
            return
        self._access.logins.append(message["login"])
        for worker in self._workers - {sender}:
            worker.send(message)

    async def _save_logout(self, revocation: Revocation) -> None:
        """Save a logout, then broadcast it; the sender waits for that message."""
        await self._access.save_logout(revocation)
        self._broadcast({"logout": list(revocation)})

    def _broadcast(self, message: WorkerMessage) -> None:
        for worker in self._workers:
            worker.send(message)
