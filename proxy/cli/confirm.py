"""Asking the person at the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

STDIN = 0


def confirm_on_terminal() -> Callable[[str], Awaitable[bool]] | None:
    """What asks; None where nobody sits: a service, a pipe, a job in the background."""
    try:
        in_front = os.tcgetpgrp(STDIN) == os.getpgrp()
    except OSError:  # it is no terminal
        return None
    return ask if in_front and sys.stderr.isatty() else None


async def ask(question: str) -> bool:
    """Print the question with ``[y/N]`` and wait for a line.

    The end of input is a no, and so is a terminal that hangs up.
    The event loop goes on meanwhile, and when this is cancelled nothing waits any more.
    """
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    except OSError:  # the terminal hung up, maybe with the question in its last words
        return False
    loop = asyncio.get_running_loop()
    answered: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        try:
            line = os.read(STDIN, 1024)
        except OSError:  # the terminal hung up
            line = b""
        if not answered.done():
            answered.set_result(line)

    loop.add_reader(STDIN, read)
    try:
        line = await answered
    finally:
        loop.remove_reader(STDIN)
    if not line.endswith(b"\n"):
        with suppress(OSError):
            print(file=sys.stderr, flush=True)
    return line.strip().lower() in (b"y", b"yes")
