"""A line that a person types at the terminal, read without blocking the event loop.

Tested by tests/cli/test_confirm.py.
"""

from __future__ import annotations

import asyncio
import os

STDIN = 0
MAX_LINE_BYTES = 4096


async def typed_line() -> bytes:
    """The next line; empty at the end of input and if the terminal is closed.

    The wait can be cancelled.
    """
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[bytes] = loop.create_future()

    def read() -> None:
        try:
            line = os.read(STDIN, MAX_LINE_BYTES)
        except OSError:  # the terminal was closed
            line = b""
        if not typed.done():
            typed.set_result(line)

    loop.add_reader(STDIN, read)
    try:
        return await typed
    finally:
        loop.remove_reader(STDIN)
