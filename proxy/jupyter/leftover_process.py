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

from proxy.jupyter.process_tree import ProcessId, descendants, has_exited, identity, kill
from proxy.runtime.secret_files import write_atomically

log = logging.getLogger("labgate.jupyter")

FILE_NAME = "jupyter.pid"
POLL_SECONDS = 0.1


def remember_process(state_folder: Path, pid: int) -> None:
    """Write down which process is this labgate's Jupyter; without that nothing is ended later."""
    process = identity(pid)
    if process is not None:
        with suppress(OSError):
            write_atomically(state_folder / FILE_NAME, f"{pid} {process.started}\n".encode())


async def end_leftover(state_folder: Path, stop_seconds: float) -> None:
    """Wait until the Jupyter of a killed labgate has exited; kill it if it takes too long.

    Args:
        state_folder: That labgate's, and this one's: only one labgate has it at a time.
        stop_seconds: How long it may take.
    """
    leftover = _remembered(state_folder)
    if leftover is None or has_exited(leftover):
        return
    log.info("An earlier Jupyter (process %d) is still ending; waiting for it.", leftover.pid)
    with suppress(TimeoutError):
        async with asyncio.timeout(stop_seconds):
            while not has_exited(leftover):  # noqa: ASYNC110  it is not labgate's child
                await asyncio.sleep(POLL_SECONDS)
            return
    kill({leftover, *descendants(leftover.pid)})
    said = "An earlier Jupyter (process %d) did not end within %g s and was killed."
    log.warning(said, leftover.pid, stop_seconds)


def _remembered(state_folder: Path) -> ProcessId | None:
    try:
        pid, started = (state_folder / FILE_NAME).read_text("ascii").split()
        return ProcessId(int(pid), int(started))
    except (OSError, ValueError):
        return None
