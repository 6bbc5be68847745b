"""A worker as the supervisor sees it: a process, and a channel to it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from proxy import __version__
from proxy.observe.measurements import Counts, Now
from proxy.runtime.resident_memory import resident_bytes
from proxy.runtime.tasks import spawn

from .channel import Channel, WorkerMessage, WorkerReload
from .process_report import ProcessReport

log = logging.getLogger("labgate")

# With the supervisor's search path: the working folder must not be on it.
_CODE = """\
import json, sys
from importlib import import_module
sys.path[:] = json.loads(sys.argv[2])
import_module(sys.argv[3]).main(int(sys.argv[1]))
"""

BLOCKED_SIGNALS = (signal.SIGINT, signal.SIGHUP)
"""Blocked in a worker until it ignores them: Ctrl-C sends SIGINT to all processes."""

_NOT_FOR_A_WORKER = (
    "NOTIFY_SOCKET",
    *("CONFIGPROXY_AUTH_TOKEN", "CONFIGPROXY_API_SSL_KEY_PASSPHRASE"),
    "CONFIGPROXY_SSL_KEY_PASSPHRASE",
)
"""Variables for talking to the service manager, and the secrets of ``labgate hub``."""

REPORT_SECONDS = 2.0
"""A worker that does not answer in this time is busy, or hangs."""

EXIT_SECONDS = 5.0
"""A process that runs longer than this without its channel is killed: nobody can stop it."""

PREPARE_SECONDS = 30.0
"""How long all workers together may take to load another configuration."""

PROGRAM = "proxy.workers.worker"
"""The module whose ``main`` is the worker."""


class WorkerProcess:
    """The process of a worker.

    Attributes:
        pid: The process id.
        ready: Set when it serves or has exited.
        draining: Set when it accepts no new requests or has exited.
        serves: Whether it is ready and has not exited.
        counts: Its counts, as of its last report.
        failure: Why it could not start; empty if it did not say.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        channel: Channel,
        on_update: Callable[[WorkerProcess, WorkerMessage], None],
        exit_seconds: float = EXIT_SECONDS,
    ) -> None:
        self.pid = process.pid
        self.ready = asyncio.Event()
        self.draining = asyncio.Event()
        self.failure = ""
        self.serves = False
        self._process = process
        self._channel = channel
        self._on_update = on_update
        self._exit_seconds = exit_seconds
        self.counts = Counts()
        self._asked: list[asyncio.Future[ProcessReport]] = []
        self._preparing = 0
        """The number of the configuration that it was told to load last."""
        self._answer: asyncio.Future[str] | None = None
        self._receiving = spawn(self._receive(), f"worker {self.pid}")

    @classmethod
    async def start(
        cls,
        sockets: Sequence[socket.socket],
        on_update: Callable[[WorkerProcess, WorkerMessage], None],
        program: str = PROGRAM,
    ) -> WorkerProcess:
        """Start a worker, which waits for its first message: what it has to serve.

        Args:
            sockets: Listening sockets to inherit; they stay open in the supervisor.
            on_update: Called with its messages that are not about the process itself.
            program: The module whose ``main`` it runs.

        Raises:
            OSError: The process could not be started.
        """
        own, other = socket.socketpair()
        with other:
            try:
                own.setblocking(False)
                process = _popen(other, sockets, program)
                channel = await Channel.open(own)
            except BaseException:
                own.close()
                raise
        return cls(process, channel, on_update)

    def send(self, message: WorkerMessage) -> None:
        """Send a message."""
        self._channel.send(message)

    async def report(self) -> ProcessReport:
        """Its report; only its memory if it does not answer in time."""
        told: asyncio.Future[ProcessReport] = asyncio.get_running_loop().create_future()
        self._asked.append(told)
        self.send({"report": True})
        with suppress(TimeoutError):
            async with asyncio.timeout(REPORT_SECONDS):
                return await told
        memory_bytes = resident_bytes(self.pid)
        now = Now(memory_bytes=memory_bytes)
        return ProcessReport(
            self.pid, answers=False, memory_bytes=memory_bytes, now=now, counts=self.counts
        )

    async def wait_for_exit(self) -> str:
        """Wait for the exit; returns the signal, the failure or the exit code as text."""
        await asyncio.shield(self._receiving)
        code = self._process.returncode
        if code is not None and code < 0:
            with suppress(ValueError):
                return signal.Signals(-code).name
        return self.failure or f"exit code {code}"

    async def prepare(self, reload: WorkerReload) -> str:
        """Have it load another configuration; returns why it cannot, empty if it can or exits."""
        if self._process.returncode is not None:
            return ""
        self._preparing = reload.number
        self._answer = asyncio.get_running_loop().create_future()
        self._channel.send(reload.message())
        return await self._answer

    def kill(self) -> None:
        """Send SIGKILL if it still runs."""
        if self._process.returncode is None:
            self._process.kill()

    async def _receive(self) -> None:
        """Receive messages until the exit, which closes the worker's end of the channel."""
        try:
            while (message := await self._channel.receive()) is not None:
                self._try_to_handle(message)
        except Exception as error:
            log.error(
                "worker process %d sent what cannot be read (%s); it is ended", self.pid, error
            )
        # A worker drains and exits without a supervisor.
        self._channel.close()
        await asyncio.to_thread(self._wait_or_kill)
        self._settle("")
        self.serves = False
        self.ready.set()
        self.draining.set()

    def _try_to_handle(self, message: WorkerMessage) -> None:
        try:
            self._handle(message)
        except Exception:
            # Whatever it is: the worker's exit must be noticed.
            log.exception("a message of worker process %d cannot be used", self.pid)

    def _wait_or_kill(self) -> None:
        """Wait for the exit of a process that has no channel any more; in a thread."""
        try:
            self._process.wait(self._exit_seconds)
        except subprocess.TimeoutExpired:
            log.error("worker process %d does not end; killing it", self.pid)
            self._process.kill()
            self._process.wait()

    def _handle(self, message: WorkerMessage) -> None:
        match message:
            case {"version": version}:
                self._check_version(version)
            case {"report": report}:
                self._reported(ProcessReport.of(report))
            case {"ready": _}:
                self.serves = True
                self.ready.set()
            case {"draining": _}:
                self.draining.set()
            case {"prepared": {"number": number, "refusal": refusal}}:
                if number == self._preparing:
                    self._settle(refusal)
            case {"failed": reason}:
                self.failure = reason
            case _:
                self._on_update(self, message)

    def _check_version(self, version: str) -> None:
        """Say what to do if labgate was installed anew while this process runs."""
        if version != __version__:
            log.warning(
                "worker process %d is labgate %s, which was installed while labgate %s runs here, "
                "and may not understand it: `labgate upgrade` replaces all processes, and no "
                "request is lost",
                *(self.pid, version, __version__),
            )

    def _reported(self, report: ProcessReport) -> None:
        self.counts = report.counts
        asked, self._asked = self._asked, []
        for told in asked:
            if not told.done():
                told.set_result(report)

    def _settle(self, answer: str) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)


async def first_refusal(workers: Sequence[WorkerProcess], reload: WorkerReload) -> str:
    """Why one of the workers cannot use a configuration; empty if all can."""
    try:
        async with asyncio.timeout(PREPARE_SECONDS):
            refusals = await asyncio.gather(*(worker.prepare(reload) for worker in workers))
    except TimeoutError:
        return f"a worker did not answer within {PREPARE_SECONDS:g} s."
    return next(filter(None, refusals), "")


async def start_failure(index: int, worker: WorkerProcess) -> str:
    """Why a worker has exited instead of serving."""
    how = await worker.wait_for_exit()
    if worker.failure:
        return worker.failure
    return f"Worker {index + 1} ended as it started ({how}); the lines above may tell why."


def _popen(
    channel: socket.socket, sockets: Sequence[socket.socket], program: str
) -> subprocess.Popen[bytes]:
    inherited = {name: value for name, value in os.environ.items() if name not in _NOT_FOR_A_WORKER}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)
    try:
        return subprocess.Popen(  # noqa: S603  ourselves
            [
                *(sys.executable, "-P", "-c", _CODE),
                *(str(channel.fileno()), json.dumps(sys.path), program),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=[channel.fileno(), *(one.fileno() for one in sockets)],
            env=inherited,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
