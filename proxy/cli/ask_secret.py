"""Asks for a secret at the terminal, without showing it and without blocking the event loop.

Tested by tests/doctor.
"""

from __future__ import annotations

import sys
import termios

from proxy.cli.typed_line import STDIN, typed_line


async def ask_secret(question: str) -> str:
    """What is typed up to Enter; empty at the end of input. It can be cancelled."""
    print(question, end="", file=sys.stderr, flush=True)
    before = termios.tcgetattr(STDIN)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    termios.tcsetattr(STDIN, termios.TCSAFLUSH, silent)
    try:
        return (await typed_line()).decode("utf-8", "replace").strip("\r\n")
    finally:
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)
        print(file=sys.stderr, flush=True)
