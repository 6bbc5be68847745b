"""The workers of a set of ports: starts them, starts them again, tells them, and ends them.

Tested by tests/e2e/test_workers.py, tests/e2e/test_workers_under_load.py and
tests/hub/test_workers.py.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from proxy.errors import StartError
from proxy.net.ports import Ports
from proxy.runtime.tasks import spawn

from .captures import CapturesOfWorkers
from .channel import WorkerMessage
from .process_report import ProcessReport
from .restarts import keep_running
from .vacancies import Vacancies
from .worker_check import kill_hanging_workers
from .worker_process import WorkerProcess, start_failure

log = logging.getLogger("labgate")

KILL_AFTER_SECONDS = 5.0
"""A worker that runs longer than ``drain_seconds`` and this after a stop is killed."""

Start = Callable[[Ports, Ports], Awaitable[WorkerProcess]]


class WorkerGroup:
    """Worker processes, each with sockets of its own.

    Attributes:
        ports: What each of them listens on.
        running: Those that have not exited.
        captures: What they capture for the inspector.

    Args:
        start: Starts a worker, and calls ``add``. Its own ports come first, then what the others
            have on the same ports.
        forget: Is called once for each that has exited.
    """

    def __init__(self, start: Start, forget: Callable[[WorkerProcess], None]) -> None:
        self._start = start
        self._forget = forget
        self.ports: list[Ports] = []
        self.running: set[WorkerProcess] = set()
        self.captures = CapturesOfWorkers(lambda: self.running)
        self._vacancies = Vacancies(lambda: self.ports, self.broadcast)
        self._first: Sequence[WorkerProcess] = ()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, ports: list[Ports]) -> Sequence[WorkerProcess]:
        """Start a worker for each; it may not serve yet."""
        self.ports = ports
        self._first = await asyncio.gather(*(self._launch(index) for index in range(len(ports))))
        return self._first

    async def until_all_serve(self) -> None:
        """Wait until every worker serves, and keep them running from then on.

        Raises:
            StartError: One does not serve.
        """
        for index, worker in enumerate(self._first):
            await worker.ready.wait()
            if not worker.serves:
                raise StartError(await start_failure(index, worker))
        for index, worker in enumerate(self._first):
            running = keep_running(
                index, worker, self._launch, self._wait_for_exit, self._vacancies
            )
            self._tasks.append(spawn(running, f"worker {index + 1}"))
        self._tasks.append(spawn(kill_hanging_workers(lambda: self.running), "worker check"))

    def add(self, worker: WorkerProcess) -> None:
        """Have a new worker hear what all are told; its setup must be sent before."""
        self.running.add(worker)
        self.captures.begin(worker)

    def broadcast(self, message: WorkerMessage) -> None:
        """Send a message to all workers."""
        for worker in self.running:
            worker.send(message)

    async def reports(self) -> list[ProcessReport]:
        """The report of each worker."""
        return await asyncio.gather(*(worker.report() for worker in list(self.running)))

    def leave_to_others(self) -> None:
        """Have no worker accept, and start none: a successor does."""
        self._end_tasks()
        self.broadcast({"leave": True})

    async def wait_for_clients(self, seconds: float | None, force: asyncio.Event) -> None:
        """Wait until all workers have ended, ``seconds`` at most, or until ``force`` is set."""
        ended = spawn(self._wait_for_all(), "end of all workers")
        forced = spawn(force.wait(), "force")
        await asyncio.wait({ended, forced}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for task in (ended, forced):
            task.cancel()

    async def stop(self, drain_seconds: float, force: asyncio.Event | None) -> None:
        """Drain all workers for at most ``drain_seconds``, then kill those that still run.

        ``force`` ends the draining early.
        """
        self._end_tasks()
        self.broadcast({"stop": True})
        forcing = spawn(self._send_force(force), "force") if force is not None else None
        try:
            async with asyncio.timeout(drain_seconds + KILL_AFTER_SECONDS):
                await self._wait_for_all()
        except TimeoutError:
            for worker in self.running:
                log.error("worker process %d does not end; killing it", worker.pid)
                worker.kill()
            await self._wait_for_all()
        finally:
            if forcing is not None:
                forcing.cancel()

    def _end_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()

    async def _launch(self, index: int) -> WorkerProcess:
        return await self._start(self.ports[index], self._vacancies.others(index))

    async def _wait_for_all(self) -> None:
        while self.running:
            await asyncio.gather(*(self._wait_for_exit(worker) for worker in self.running))

    async def _wait_for_exit(self, worker: WorkerProcess) -> str:
        how = await worker.wait_for_exit()
        if worker in self.running:
            self.running.discard(worker)
            self.captures.ended(worker)
            self._forget(worker)
        return how

    async def _send_force(self, force: asyncio.Event) -> None:
        await force.wait()
        self.broadcast({"force": True})
