"""Ends the local Jupyter of a labgate that was killed.

Linux ends it with SIGTERM (see ``exec_wrapper``). It may still be saving then, or hang for ever. So
the next labgate with this state folder waits for its end, and then kills it. Tested by
tests/jupyter/test_process.py.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from pathlib import Path

from proxy.jupyter.process_tree import (
    ProcessId,
    descendants,
    has_descendants,
    has_exited,
    identity,
    kill,
)
from proxy.runtime.secret_files import write_atomically

log = logging.getLogger("labgate.jupyter")

FILE_NAME = "jupyter.pid"
POLL_SECONDS = 0.1
KILL_SECONDS = 5.0


def remember_process(state_folder: Path, pid: int) -> None:
    """Write down which process is this labgate's Jupyter.

    If that fails, no later labgate ends it.
    """
    process = identity(pid)
    if process is not None:
        with suppress(OSError):
            write_atomically(state_folder / FILE_NAME, f"{pid} {process.started}\n".encode())


async def end_leftover(state_folder: Path, end_seconds: float, kernels_end_seconds: float) -> None:
    """Wait until the Jupyter of a killed labgate has exited; kill it if it takes too long.

    Args:
        state_folder: That labgate's, and this one's: only one labgate has it at a time.
        end_seconds: How long it may take.
        kernels_end_seconds: How long it may take while its kernels run.
    """
    leftover = _remembered(state_folder)
    if leftover is None or has_exited(leftover):
        return
    log.info("An earlier Jupyter (process %d) is still ending; waiting for it.", leftover.pid)
    if await _has_exited_within(leftover, end_seconds):
        return
    if has_descendants(leftover.pid) and await _has_exited_within(
        leftover, kernels_end_seconds - end_seconds
    ):
        return
    kill({leftover, *descendants(leftover.pid)})
    if await _has_exited_within(leftover, KILL_SECONDS):
        log.warning("An earlier Jupyter (process %d) did not end and was killed.", leftover.pid)
    else:
        log.warning("An earlier Jupyter (process %d) cannot be killed.", leftover.pid)


async def _has_exited_within(process: ProcessId, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while not has_exited(process):  # noqa: ASYNC110  it is not labgate's child
                await asyncio.sleep(POLL_SECONDS)
    return has_exited(process)


def _remembered(state_folder: Path) -> ProcessId | None:
    try:
        pid, started = (state_folder / FILE_NAME).read_text("ascii").split()
        return ProcessId(int(pid), int(started))
    except (OSError, ValueError):
        return None
