"""One worker as the supervisor sees it: a process, and a channel to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from proxy.runtime.tasks import spawn

from .channel import Channel, Message, WorkerSetup

# With the supervisor's own search path: the working folder must not come to be on it.
_CODE = """\
import json, sys
sys.path[:] = json.loads(sys.argv[2])
from proxy.workers.worker import main
sys.exit(main(int(sys.argv[1])))
"""

BLOCKED_SIGNALS = (signal.SIGINT, signal.SIGHUP)
"""Kept from a worker until it has said that it ignores them: a Ctrl-C reaches everybody."""


class WorkerProcess:
    """A worker's process, from its start to its end.

    Attributes:
        pid: Of the process.
        ready: Done when it serves; then or when it has ended.
        draining: Done when it takes nothing new any more, or has ended.
        serves: Whether it became ready and has not ended.
        failure: Why it could not start, as it said itself.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        channel: Channel,
        on_update: Callable[[WorkerProcess, Message], None],
    ) -> None:
        self.pid = process.pid
        self.ready = asyncio.Event()
        self.draining = asyncio.Event()
        self.failure = ""
        self.serves = False
        self._process = process
        self._channel = channel
        self._on_update = on_update
        self._receiving = spawn(self._receive(), f"worker {self.pid}")

    @classmethod
    async def start(
        cls,
        setup: WorkerSetup,
        sockets: Sequence[socket.socket],
        on_update: Callable[[WorkerProcess, Message], None],
    ) -> WorkerProcess:
        """Start a worker.

        Args:
            setup: What it is told first.
            sockets: What it inherits; the supervisor keeps them.
            on_update: Gets what it tells of logins and logouts.

        Raises:
            OSError: There is no starting a process now.
        """
        own, other = socket.socketpair()
        with other:
            try:
                own.setblocking(False)
                process = _popen(other, sockets)
                channel = await Channel.open(own)
            except BaseException:
                own.close()
                raise
        channel.send(setup.message())
        return cls(process, channel, on_update)

    def send(self, message: Message) -> None:
        """Tell it something."""
        self._channel.send(message)

    async def wait_for_exit(self) -> str:
        """Wait for its end; how it ended."""
        await asyncio.shield(self._receiving)
        code = self._process.returncode
        if code is not None and code < 0:
            with suppress(ValueError):
                return signal.Signals(-code).name
        return self.failure or f"exit code {code}"

    def kill(self) -> None:
        """End it at once."""
        if self._process.returncode is None:
            self._process.kill()

    async def _receive(self) -> None:
        """Until the process is gone; its end of the channel closes with it."""
        while (message := await self._channel.receive()) is not None:
            if "login" in message or "logout" in message:
                self._on_update(self, message)
            elif "ready" in message:
                self.serves = True
                self.ready.set()
            elif "draining" in message:
                self.draining.set()
            elif "failed" in message:
                self.failure = message["failed"]
        await asyncio.to_thread(self._process.wait)
        self._channel.close()
        self.serves = False
        self.ready.set()
        self.draining.set()


def _popen(channel: socket.socket, sockets: Sequence[socket.socket]) -> subprocess.Popen[bytes]:
    inherited = {name: value for name, value in os.environ.items() if name != "NOTIFY_SOCKET"}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, BLOCKED_SIGNALS)
    try:
        return subprocess.Popen(  # noqa: S603  ourselves
            [sys.executable, "-P", "-c", _CODE, str(channel.fileno()), json.dumps(sys.path)],
            stdin=subprocess.DEVNULL,
            pass_fds=[channel.fileno(), *(one.fileno() for one in sockets)],
            env=inherited,
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
