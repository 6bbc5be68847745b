"""A process that ends while daemon threads are at work."""

from __future__ import annotations

import subprocess
import sys

import pytest


def run(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )


def script(*, daemon: bool) -> str:
    """A thread works, ``atexit`` and finalizing each print a word, and the process ends with 3."""
    return f"""\
import atexit, sys, threading
from proxy.runtime.process_exit import exit_without_finalizing

class Kept:
    def __del__(self, say=sys.stdout.write):
        say("finalized\\n")

kept = Kept()
atexit.register(print, "atexit")
go_on = threading.Event()

def work():
    go_on.wait()
    print("worked")

threading.Thread(target=work, daemon={daemon}).start()
if not {daemon}:
    threading.Timer(0.1, go_on.set).start()
exit_without_finalizing(3)
"""


def test_a_daemon_thread_does_not_see_the_interpreter_end() -> None:
    ended = run(script(daemon=True))
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (3, ["atexit"], "")


def test_another_thread_is_waited_for() -> None:
    ended = run(script(daemon=False))
    assert (ended.returncode, ended.stdout.split(), ended.stderr) == (3, ["worked", "atexit"], "")


@pytest.mark.parametrize("command", [["check", "--show"], ["--version"]])
def test_a_command_keeps_its_output_and_its_exit_code(command: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "proxy", *command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ended.returncode, bool(ended.stdout)) == (0, True)
