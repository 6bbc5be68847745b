"""Whether another process has ended."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress

_STEP_SECONDS = 0.05


def has_ended(pid: int, seconds: float) -> bool:
    """Wait for a process to end, at most so long; it need not be a child.

    Args:
        pid: Its id; that of another user's process is one, too.
        seconds: How long.
    """
    process = _opened(pid)
    if process is None:
        return has_gone(pid, seconds)
    try:
        # Readable also while its parent has not collected its exit code yet (pidfd_open(2)).
        return bool(select.select([process], [], [], seconds)[0])
    finally:
        os.close(process)


def has_gone(pid: int, seconds: float) -> bool:
    """``has_ended`` for any system; a child must be waited for by its parent first."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it runs, as another user
        if time.monotonic() >= deadline:
            return False
        time.sleep(_STEP_SECONDS)


def _opened(pid: int) -> int | None:
    """A descriptor of a process; None if it has gone, or where there are none."""
    process: int | None = None
    if sys.platform == "linux":
        with suppress(OSError):
            process = os.pidfd_open(pid)
    return process
