"""The workers of a hub's proxy: ``--workers N`` processes that serve the same ports and routes.

Tested by tests/hub/test_workers.py.
"""

from __future__ import annotations

import asyncio
import os
import socket

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
from proxy.workers.captures import CapturesOfWorkers
from proxy.workers.process_report import ProcessReport
from proxy.workers.restarts import keep_running
from proxy.workers.sockets import KERNEL_BALANCES, sockets_per_worker
from proxy.workers.vacancies import Vacancies
from proxy.workers.worker_check import kill_hanging_workers
from proxy.workers.worker_process import WorkerProcess, start_failure

PROGRAM = "proxy.hub.worker"
HOUSEKEEPING_SECONDS = 2.0
KILL_AFTER_SECONDS = 5.0
"""A worker that runs longer than ``drain_seconds`` and this after a stop is killed."""


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
        self._ports: list[Ports] = []
        self._vacancies = Vacancies(lambda: self._ports, self._broadcast)
        self._followers: dict[WorkerProcess, Follower] = {}
        self._wanting: dict[WorkerProcess, asyncio.Event] = {}
        self._captures = CapturesOfWorkers(lambda: self._followers)
        self.inspector = self._captures.inspector
        self.tls = PublicTls(options.tls) if options.tls is not None else None
        self._lag = LoopLag()
        self._may_take_routes = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    async def prepare(self) -> None:
        """Start them, and wait until all want their routes.

        Raises:
            StartError: One ended instead, or a certificate cannot be used.
        """
        if self.tls is not None:
            self.tls.start()
        self._ports = _ports_per_worker(self._all_ports.originals(), self._options.workers)
        self._all_ports.add_public(self._ports)
        indexes = range(self._options.workers)
        self._first = await asyncio.gather(*(self._launch(index) for index in indexes))
        for index, worker in enumerate(self._first):
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
        for index, worker in enumerate(self._first):
            await worker.ready.wait()
            if not worker.serves:
                raise StartError(await start_failure(index, worker))
        for index, worker in enumerate(self._first):
            running = keep_running(
                index, worker, self._launch, self._wait_for_exit, self._vacancies
            )
            self._tasks.append(spawn(running, f"worker {index + 1}"))
        checking = kill_hanging_workers(lambda: list(self._followers))
        self._tasks.append(spawn(checking, "worker check"))
        housekeeping = run_periodically([self._keep_house], HOUSEKEEPING_SECONDS)
        self._tasks.append(spawn(housekeeping, "certificates"))
        if self._options.metrics is not None:
            self._lag.start()

    def reload(self) -> None:
        """Read the certificates again now, in the workers too."""
        if self.tls is not None:
            self.tls.reload()
        self._broadcast({"reload": True})

    def measured(self) -> Measured:
        """What the process with the API measures, which serves no clients."""
        memory_bytes = resident_bytes(os.getpid())
        return Measured(now=Now(memory_bytes=memory_bytes, loop_lag_seconds=self._lag.seconds))

    async def replay(self, head: RequestHead, content: bytes) -> int:
        """As ``HubApplication.replay``, in one of the workers.

        Raises:
            ReplayRefused: None of them does.
        """
        return await self._captures.replay(head, content)

    async def reports(self) -> list[ProcessReport]:
        """The report of each worker, for ``labgate status``."""
        return await asyncio.gather(*(worker.report() for worker in list(self._followers)))

    def leave_to_others(self) -> None:
        """Have no worker accept: a successor does."""
        self._end_tasks()
        self._broadcast({"leave": True})

    async def wait_for_clients(self, force: asyncio.Event) -> None:
        """Wait until all workers have ended, or until ``force`` is set."""
        waiting = spawn(self._wait_for_all(), "workers")
        forcing = spawn(force.wait(), "force")
        await asyncio.wait({waiting, forcing}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        forcing.cancel()

    async def stop(self, force: asyncio.Event) -> None:
        """Have all workers drain; as ``HubApplication.stop``."""
        self._end_tasks()
        self._lag.stop()
        self._broadcast({"stop": True})
        forcing = spawn(self._send_force(force), "force")
        try:
            async with asyncio.timeout(self._options.drain_seconds + KILL_AFTER_SECONDS):
                await self._wait_for_all()
        except TimeoutError:
            for worker in self._followers:
                worker.kill()
            await self._wait_for_all()
        finally:
            forcing.cancel()

    async def _keep_house(self) -> None:
        # The workers look for themselves.
        if self.tls is not None:
            self.tls.reload()

    def _end_tasks(self) -> None:
        self._stopping = True
        for task in self._tasks:
            task.cancel()

    async def _launch(self, index: int) -> WorkerProcess:
        ports, others = self._ports[index], self._vacancies.others(index)
        inherited = [*ports.sockets, *others.sockets]
        worker = await WorkerProcess.start(inherited, self._on_message, PROGRAM)
        worker.send(setup_message(self._options, ports, others))
        self._wanting[worker] = asyncio.Event()
        name = f"worker process {worker.pid}"
        self._followers[worker] = Follower(name, worker.send, worker.kill)
        self._captures.begin(worker)
        return worker

    def _on_message(self, worker: WorkerProcess, message: RouteMessage) -> None:
        if "wants" in message:
            self._wanting[worker].set()
            spawn(self._give_routes(worker), "routes for a worker")
        elif not self._captures.on_message(worker, message) and worker in self._followers:
            self._routes.on_message(self._followers[worker], message)

    async def _give_routes(self, worker: WorkerProcess) -> None:
        await self._may_take_routes.wait()
        # In one turn: whatever changes from here on is told.
        worker.send({"routes": self._routes.table.passed()})
        if worker in self._followers:
            self._routes.follow(self._followers[worker])

    async def _wait_for_exit(self, worker: WorkerProcess) -> str:
        how = await worker.wait_for_exit()
        self._wanting.pop(worker, None)
        self._captures.ended(worker)
        follower = self._followers.pop(worker, None)
        if follower is not None:
            self._routes.forget(follower)
        return how

    async def _wait_for_all(self) -> None:
        while self._followers:
            await asyncio.gather(*(self._wait_for_exit(worker) for worker in self._followers))

    async def _send_force(self, force: asyncio.Event) -> None:
        await force.wait()
        self._broadcast({"force": True})

    def _broadcast(self, message: RouteMessage) -> None:
        for worker in self._followers:
            worker.send(message)


def _ports_per_worker(ports: Ports, workers: int) -> list[Ports]:
    def each(bound: list[socket.socket]) -> list[list[socket.socket]]:
        # Unix sockets have no balancing, and a given one must not be bound again.
        on_network = all(one.family != socket.AF_UNIX for one in bound)
        balanced = KERNEL_BALANCES and not ports.given and on_network
        return sockets_per_worker(bound, workers, balanced=balanced)

    pairs = zip(each(ports.main), each(ports.plain), strict=True)
    return [Ports(main, plain, ports.given) for main, plain in pairs]
