"""Asks the person at the terminal a yes-or-no question."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from proxy.cli.typed_line import STDIN, typed_line


def confirm_on_terminal() -> Callable[[str], Awaitable[bool]] | None:
    """The function that asks; None if nobody can answer: a service, a pipe, a background job."""
    try:
        in_front = os.tcgetpgrp(STDIN) == os.getpgrp()
    except OSError:  # it is no terminal
        return None
    return ask if in_front and sys.stderr.isatty() else None


async def ask(question: str) -> bool:
    """Print the question with ``[y/N]``, and wait for a line.

    The end of input means no, and so does a terminal that is closed. The event loop is not
    blocked, and the wait can be cancelled.
    """
    try:
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    except OSError:  # the terminal was closed, perhaps while the question was printed
        return False
    line = await typed_line()
    if not line.endswith(b"\n"):
        with suppress(OSError):
            print(file=sys.stderr, flush=True)
    return line.strip().lower() in (b"y", b"yes")
