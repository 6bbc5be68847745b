"""Signals that come while a process is already ending."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterable


def ignore(numbers: Iterable[signal.Signals]) -> None:
    """Ignore signals until this process has exited, so that another one keeps its exit code.

    The running event loop lets go of them first: it would restore the system's default, which
    ends a process, when it is closed.
    """
    loop = asyncio.get_running_loop()
    for number in numbers:
        loop.remove_signal_handler(number)
        signal.signal(number, signal.SIG_IGN)
