"""Asks for a secret at the terminal, without showing it and without blocking the event loop.

Tested by tests/doctor.
"""

from __future__ import annotations

import asyncio
import os
import sys
import termios

STDIN = 0


async def ask_secret(question: str) -> str:
    """What is typed up to Enter; empty at the end of input. It can be cancelled."""
    print(question, end="", file=sys.stderr, flush=True)
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        try:
            line = os.read(STDIN, 4096)
        except OSError:  # the terminal was closed
            line = b""
        if not typed.done():
            typed.set_result(line)

    before = termios.tcgetattr(STDIN)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(STDIN, termios.TCSAFLUSH, silent)
    loop.add_reader(STDIN, read)
    try:
        return (await typed).decode("utf-8", "replace").strip("\r\n")
    finally:
        loop.remove_reader(STDIN)
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)
        print(file=sys.stderr, flush=True)
