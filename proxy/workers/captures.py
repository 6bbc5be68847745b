"""The inspector over several processes: the workers capture, and their supervisor shows it.

Tested by tests/e2e/test_inspect.py, tests/hub/test_workers.py and tests/workers/test_replays.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from proxy.inspector.inspector import Inspector
from proxy.inspector.recorder import CaptureOptions, Recorder
from proxy.inspector.remote import CapturedElsewhere, CapturedHere
from proxy.inspector.replay_front import send_through_rules
from proxy.inspector.ring import Ring
from proxy.messages import Dispatch
from proxy.rules.head import RequestHead
from proxy.runtime.tasks import spawn

from .channel import WorkerMessage
from .replays import Replays, read_message
from .worker_process import WorkerProcess


class CapturesOfWorkers:
    """The supervisor's side.

    Attributes:
        inspector: Holds what all workers capture, and switches it on and off in all of them.

    Args:
        workers: Those that there are now.
    """

    def __init__(self, workers: Callable[[], Iterable[WorkerProcess]]) -> None:
        self.inspector = Inspector(Ring(), self._use_recorder, self._until_used)
        self._workers = workers
        self._captured = CapturedElsewhere(self.inspector.ring)
        self._replays = Replays(self._captured)

    def begin(self, worker: WorkerProcess) -> None:
        """Have a new worker capture, if the others do."""
        if self.inspector.options is not None:
            worker.send({"inspect": asdict(self.inspector.options)})

    def ended(self, worker: WorkerProcess) -> None:
        """Show the open exchanges of a worker that has exited as what has ended."""
        self._captured.ended(worker)

    def on_message(self, worker: WorkerProcess, message: WorkerMessage) -> bool:
        """Take a worker's message; returns whether it was about this."""
        match message:
            case {"exchanges": batch}:
                self._captured.take(worker, batch)
            case {"replayed": answer}:
                self._replays.answered(worker, answer)
            case {"fault": fault}:
                self.inspector.failed(f"Worker process {worker.pid}: {fault}")
            case _:
                return False
        return True

    async def replay(self, head: RequestHead, content: bytes) -> int:
        """As ``Replays.send``."""
        return await self._replays.send(self._workers(), head, content)

    def _use_recorder(self, recorder: Recorder | None) -> None:
        """Have all workers capture the exchanges that begin from now on, or none."""
        options = None if recorder is None else asdict(recorder.options)
        for worker in self._workers():
            worker.send({"inspect": options})

    async def _until_used(self) -> None:
        """Wait until the workers have read it; one that hangs is given up."""
        # A worker handles its messages in their order.
        await asyncio.gather(*(worker.report() for worker in self._workers() if worker.serves))


class CaptureInWorker:
    """A worker's side.

    Args:
        inspector: Captures here.
        dispatch: Takes the requests that are sent again.
        send: Sends a message to the supervisor.
    """

    def __init__(
        self,
        inspector: Inspector,
        dispatch: Callable[[], Dispatch],
        send: Callable[[WorkerMessage], None],
    ) -> None:
        self._inspector = inspector
        self._dispatch = dispatch
        self._send = send
        self._sender: CapturedHere | None = None

    def take(self, message: WorkerMessage) -> bool:
        """Do what a message of the supervisor says; returns whether it was about this."""
        match message:
            case {"inspect": options}:
                self._switch(options)
            case {"replay": asked}:
                spawn(self._replay(asked), "replay")
            case _:
                return False
        return True

    def _switch(self, options: dict[str, Any] | None) -> None:
        """Capture what passes here, or stop that."""
        if self._sender is None:
            self._sender = CapturedHere(
                self._inspector.ring, lambda exchanges: self._send({"exchanges": exchanges})
            )
            self._inspector.listen(self._tell_fault)
        self._inspector.switch(CaptureOptions(**options) if options is not None else None)

    async def _replay(self, asked: WorkerMessage) -> None:
        """Send a request of the inspector's, and tell the supervisor its exchange."""
        exchange = None
        ring = self._inspector.ring
        number = await send_through_rules(self._dispatch(), ring, *read_message(asked))
        if self._sender is not None:
            exchange = self._sender.take_out(number)
        self._send({"replayed": {"number": asked["number"], "exchange": exchange}})

    def _tell_fault(self) -> None:
        if fault := self._inspector.fault:
            self._send({"fault": fault})
