"""Blocking work: its result, its error, and that nobody has to wait for it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from proxy.runtime.daemon_thread import run_in_daemon_thread


async def test_the_result() -> None:
    """From another thread, which has the name."""
    assert await run_in_daemon_thread("work", lambda: threading.current_thread().name) == "work"


async def test_the_error() -> None:
    def fail() -> None:
        raise LookupError("why")

    with pytest.raises(LookupError, match="why"):
        await run_in_daemon_thread("work", fail)


@pytest.mark.parametrize("fails", [False, True])
async def test_cancelled_while_it_works(fails: bool) -> None:
    """What it ends with later goes nowhere, and is no warning either."""
    working, go_on, ended = threading.Event(), threading.Event(), threading.Event()

    def work() -> None:
        working.set()
        go_on.wait()
        ended.set()
        if fails:
            raise LookupError

    waiting = asyncio.ensure_future(run_in_daemon_thread("cancelled", work))
    await asyncio.to_thread(working.wait)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    (thread,) = [one for one in threading.enumerate() if one.name == "cancelled"]
    go_on.set()
    await asyncio.to_thread(thread.join)
    assert ended.is_set()
    await asyncio.sleep(0)


def test_the_process_ends_without_it() -> None:
    script = (
        "import asyncio, threading\n"
        "from proxy.runtime.daemon_thread import run_in_daemon_thread\n"
        "async def main():\n"
        "    asyncio.ensure_future(run_in_daemon_thread('work', threading.Event().wait))\n"
        "    await asyncio.sleep(0)\n"
        "asyncio.run(main())\n"
    )
    ended = subprocess.run([sys.executable, "-c", script], timeout=60, check=False)
    assert ended.returncode == 0
