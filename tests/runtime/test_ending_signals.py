"""A process that is ending, and gets more signals."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PROGRAM = f"""
import asyncio, os, signal
import uvloop
from proxy.runtime import ending_signals

async def main():
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    for number in {[int(number) for number in NUMBERS]}:
        loop.add_signal_handler(number, ended.set)
    os.kill(os.getpid(), signal.SIGTERM)
    await ended.wait()
    ending_signals.ignore({[int(number) for number in NUMBERS]})

with asyncio.Runner(loop_factory=LOOP) as runner:
    runner.run(main())
for number in {[int(number) for number in NUMBERS]}:
    os.kill(os.getpid(), number)
"""


@pytest.mark.parametrize("loop", ["asyncio.new_event_loop", "uvloop.new_event_loop"])
def test_another_one_changes_nothing(loop: str) -> None:
    program = PROGRAM.replace("LOOP", loop)
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
