"""Asks for a secret at the terminal, without showing it and without blocking the event loop.

Tested by tests/cli/test_doctor.py.
"""

from __future__ import annotations

import sys
import termios

from proxy.cli.typed_line import STDIN, typed_line


async def ask_secret(question: str) -> str:
    """What is typed up to Enter; empty at the end of input. It can be cancelled."""
    before = termios.tcgetattr(STDIN)
    silent = [*before]
    silent[3] &= ~termios.ECHO
    # Before the question: TCSAFLUSH drops what was typed until now, and that may be the answer.
    termios.tcsetattr(STDIN, termios.TCSAFLUSH, silent)
    try:
        print(question, end="", file=sys.stderr, flush=True)
        return (await typed_line()).decode("utf-8", "replace").strip("\r\n")
    finally:
        termios.tcsetattr(STDIN, termios.TCSADRAIN, before)
        print(file=sys.stderr, flush=True)
