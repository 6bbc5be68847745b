"""The workers of a hub's proxy: ``--workers N`` processes that serve the same ports and routes.

Tested by tests/hub/test_workers.py.
"""

from __future__ import annotations

import asyncio
import os

from proxy.errors import StartError
from proxy.hub.counts import Measured
from proxy.hub.options import HubOptions
from proxy.hub.ports import HubPorts
from proxy.hub.public_tls import PublicTls
from proxy.hub.shared_routes import Follower, RouteMessage, SharedRoutes
from proxy.hub.worker import setup_message
from proxy.net.ports import Ports
from proxy.observe.loop_lag import LoopLag
from proxy.observe.measurements import Now
from proxy.rules.head import RequestHead
from proxy.runtime.periodic import run_periodically
from proxy.runtime.resident_memory import resident_bytes
from proxy.runtime.tasks import spawn
from proxy.workers.process_report import ProcessReport
from proxy.workers.sockets import ports_per_worker
from proxy.workers.worker_group import WorkerGroup
from proxy.workers.worker_process import WorkerProcess, start_failure

PROGRAM = "proxy.hub.worker"
HOUSEKEEPING_SECONDS = 2.0


class HubWorkers:
    """Has the interface of ``HubApplication``, and runs several processes with one each.

    Attributes:
        inspector: Shows what all workers capture.
        tls: Towards clients, as the workers load it, too; None for plain HTTP.

    Args:
        options: What the command line says.
        routes: What the workers follow.
        ports: Gets the sockets of all workers.
    """

    def __init__(self, options: HubOptions, routes: SharedRoutes, ports: HubPorts) -> None:
        self._options = options
        self._routes = routes
        self._all_ports = ports
        self._group = WorkerGroup(self._start_worker, self._forget)
        self.inspector = self._group.captures.inspector
        self._followers: dict[WorkerProcess, Follower] = {}
        self._wanting: dict[WorkerProcess, asyncio.Event] = {}
        self.tls = PublicTls(options.tls) if options.tls is not None else None
        self._lag = LoopLag()
        self._may_take_routes = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def prepare(self) -> None:
        """Start them, and wait until all want their routes.

        Raises:
            StartError: One ended instead, or a certificate cannot be used.
        """
        if self.tls is not None:
            self.tls.start()
        ports = ports_per_worker(self._all_ports.originals(), self._options.workers)
        self._all_ports.add_public(ports)
        for index, worker in enumerate(await self._group.start(ports)):
            loaded = spawn(self._wanting[worker].wait(), "worker loads")
            ended = spawn(worker.ready.wait(), "worker ends")
            await asyncio.wait({loaded, ended}, return_when=asyncio.FIRST_COMPLETED)
            if ended.done():
                raise StartError(await start_failure(index, worker))
            ended.cancel()

    async def open(self) -> None:
        """Give them the routes, and wait until all serve.

        Raises:
            StartError: One does not.
        """
        self._may_take_routes.set()
        await self._group.until_all_serve()
        housekeeping = run_periodically([self._keep_house], HOUSEKEEPING_SECONDS)
        self._tasks.append(spawn(housekeeping, "certificates"))
        if self._options.metrics is not None:
            self._lag.start()

    def reload(self) -> None:
        """Read the certificates again now, in the workers too."""
        if self.tls is not None:
            self.tls.reload()
        self._group.broadcast({"reload": True})

    def measured(self) -> Measured:
        """What the process with the API measures, which serves no clients."""
        memory_bytes = resident_bytes(os.getpid())
        return Measured(now=Now(memory_bytes=memory_bytes, loop_lag_seconds=self._lag.seconds))

    async def replay(self, head: RequestHead, content: bytes) -> int:
        """As ``HubApplication.replay``, in one of the workers.

        Raises:
            ReplayRefused: None of them does.
        """
        return await self._group.captures.replay(head, content)

    async def reports(self) -> list[ProcessReport]:
        """The report of each worker, for ``labgate status``."""
        return await self._group.reports()

    def leave_to_others(self) -> None:
        """Have no worker accept: a successor does."""
        self._end_tasks()
        self._group.leave_to_others()

    async def wait_for_clients(self, force: asyncio.Event) -> None:
        """Wait until all workers have ended, or until ``force`` is set."""
        await self._group.wait_for_clients(None, force)

    async def stop(self, force: asyncio.Event) -> None:
        """Have all workers drain; as ``WorkerGroup.stop``."""
        self._end_tasks()
        self._lag.stop()
        await self._group.stop(self._options.drain_seconds, force)

    async def _keep_house(self) -> None:
        # The workers look for themselves.
        if self.tls is not None:
            self.tls.reload()

    def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _start_worker(self, ports: Ports, others: Ports) -> WorkerProcess:
        inherited = [*ports.sockets, *others.sockets]
        worker = await WorkerProcess.start(inherited, self._on_message, PROGRAM)
        worker.send(setup_message(self._options, ports, others))
        self._wanting[worker] = asyncio.Event()
        name = f"worker process {worker.pid}"
        self._followers[worker] = Follower(name, worker.send, worker.kill)
        self._group.add(worker)
        return worker

    def _forget(self, worker: WorkerProcess) -> None:
        self._wanting.pop(worker, None)
        self._routes.forget(self._followers.pop(worker))

    def _on_message(self, worker: WorkerProcess, message: RouteMessage) -> None:
        if "wants" in message:
            self._wanting[worker].set()
            spawn(self._give_routes(worker), "routes for a worker")
        elif not self._group.captures.on_message(worker, message) and worker in self._followers:
            self._routes.on_message(self._followers[worker], message)

    async def _give_routes(self, worker: WorkerProcess) -> None:
        await self._may_take_routes.wait()
        # In one turn: whatever changes from here on is told.
        worker.send({"routes": self._routes.table.passed()})
        if worker in self._followers:
            self._routes.follow(self._followers[worker])
