"""The question at the terminal: a real pseudo-terminal, and a process that asks in it."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from proxy.cli.confirm import confirm_on_terminal
from tests.e2e.programs import ROOT

ASKING = """
import asyncio, contextlib, fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
# A shell starts its background jobs with SIGINT ignored, and the tests may be one.
signal.signal(signal.SIGINT, signal.default_int_handler)
from proxy.cli.confirm import confirm_on_terminal

async def main():
    ask = confirm_on_terminal()
    turns = 0

    async def others():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.get_running_loop().create_task(others())
    try:
        answer = await ask("Replace it?")
    finally:
        print("others had turns" if turns > 1 else "nobody else ran")
    print("ANSWER", answer)

try:
    asyncio.run(main())
except KeyboardInterrupt:
    print("INTERRUPTED")
"""


@contextmanager
def asking(code: str = ASKING) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """The process, and our end of its terminal, once it has asked."""
    terminal, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    try:
        output = b""
        while b"Replace it? [y/N] " not in output:
            output += os.read(terminal, 1024)
        yield process, terminal
    finally:
        process.kill()
        process.wait()


def asked(typed: bytes) -> str:
    """What the process writes after ``typed`` is its answer."""
    output = b""
    with asking() as (_, terminal):
        os.write(terminal, typed)
        with suppress(OSError):  # Linux's end of a pseudo-terminal
            while piece := os.read(terminal, 1024):
                output += piece
        os.close(terminal)
    return output.decode()


@pytest.mark.parametrize(
    ("typed", "output"),
    [
        (b"y\n", "ANSWER True"),
        (b" YES \n", "ANSWER True"),
        (b"n\n", "ANSWER False"),
        (b"\n", "ANSWER False"),
        (b"yesterday\n", "ANSWER False"),
        (b"\x04", "ANSWER False"),
        (b"\x03", "INTERRUPTED"),
    ],
)
def test_answers(typed: bytes, output: str) -> None:
    said = asked(typed)
    assert output in said
    assert "others had turns" in said or typed == b"\x03"


# Not sys.exit: what it cannot flush to the terminal that is gone changes the exit code to 120.
HANGING_UP = ASKING.replace(
    'print("ANSWER", answer)', "os._exit(7 if answer is False else 8)"
).replace("asyncio.run", "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP]); asyncio.run")
HANGING_UP_BEFORE = HANGING_UP.replace(
    "    turns = 0\n",
    """    turns = 0
    with contextlib.suppress(OSError):  # it hangs up in the middle of this
        os.write(1, b"Replace it? [y/N] ")
    signal.sigwait([signal.SIGHUP])
""",
    1,
)


@pytest.mark.parametrize(
    "code", [HANGING_UP, HANGING_UP_BEFORE], ids=["after the question", "before it"]
)
def test_a_terminal_that_hangs_up_is_a_no(code: str) -> None:
    quiet = code.replace('print("others had turns" if turns > 1 else "nobody else ran")', "pass")
    with asking(quiet) as (process, terminal):
        os.close(terminal)
        assert process.wait(60) == 7


def test_nobody_to_ask() -> None:
    reading, writing = os.pipe()
    kept = os.dup(0)
    try:
        os.dup2(reading, 0)
        assert confirm_on_terminal() is None
    finally:
        os.dup2(kept, 0)
        for descriptor in (kept, reading, writing):
            os.close(descriptor)
