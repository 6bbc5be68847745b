"""The last lines that a local Jupyter wrote, and new ones for those who follow the log."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator

log = logging.getLogger("labgate.jupyter")

MAX_LOG_LINES = 1000
MAX_WAITING_LINES = 10_000
"""A follower that does not read loses the oldest ones."""


class ProcessLog:
    """The output of one process."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=MAX_LOG_LINES)
        self._followers: set[_Follower] = set()

    def add(self, line: bytes) -> None:
        """Keep a line, and give it to all who follow."""
        text = line.decode("utf-8", "replace").rstrip()
        self._lines.append(text)
        log.debug("%s", text)
        for follower in self._followers:
            follower.waiting.append(text)
            follower.more.set()

    def begin(self) -> None:
        """Forget the lines of the process before."""
        self._lines.clear()

    def end(self) -> None:
        """The process has exited: end the log of all who follow."""
        for follower in self._followers:
            follower.ended = True
            follower.more.set()

    def last(self, count: int) -> tuple[str, ...]:
        """The last lines."""
        return tuple(self._lines)[-count:] if count > 0 else ()

    async def follow(self, count: int) -> AsyncIterator[str]:
        """The last lines, then every new one until the process exits."""
        follower = _Follower(self.last(count))
        self._followers.add(follower)
        try:
            while True:
                while follower.waiting:
                    yield follower.waiting.popleft()
                if follower.ended:
                    return
                follower.more.clear()
                await follower.more.wait()
        finally:
            self._followers.discard(follower)


class _Follower:
    def __init__(self, lines: tuple[str, ...]) -> None:
        self.waiting = deque(lines, maxlen=MAX_WAITING_LINES)
        self.more = asyncio.Event()
        self.ended = False
