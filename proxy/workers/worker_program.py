"""What every worker does before its own work and after it: streams, signals, and its event loop.

Tested by tests/e2e/test_workers.py.
"""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

from proxy import __version__
from proxy.runtime import output
from proxy.runtime.event_loop import loop_factory
from proxy.runtime.process_exit import exit_without_finalizing

from .channel import Channel


def run_worker(descriptor: int, work: Callable[[Channel], Coroutine[Any, Any, int]]) -> NoReturn:
    """Run a worker's work, and end the process with the exit code that it returns.

    Args:
        descriptor: The worker's end of the channel.
        work: Gets the channel.
    """
    output.replace_standard_streams()
    # The supervisor says what they mean: Ctrl-C sends SIGINT to all processes.
    ignored = (signal.SIGINT, signal.SIGHUP)
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ignored)
    end = socket.socket(fileno=descriptor)
    end.setblocking(False)

    async def run() -> int:
        channel = await Channel.open(end)
        # First, because the rest may fail if it is not the supervisor's.
        channel.send({"version": __version__})
        return await work(channel)

    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        code = runner.run(run())
    exit_without_finalizing(code)
