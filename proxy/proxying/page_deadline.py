"""The deadline of a page that a person looks at, while Jupyter answers nothing at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from proxy.errors import UpstreamSilent
from proxy.proxying.pool import Pool
from proxy.runtime.tasks import spawn

LONGEST_PROBE_SECONDS = 5.0

Probe = Callable[[float], Awaitable[bool]]
"""Whether anything answers Jupyter's address within so many seconds."""


class PageDeadline:
    """Ends the wait for pages of a Jupyter that accepts requests and answers none.

    A page may take its time, as a notebook does that is converted to another format. So what
    counts is not its time alone, but whether anything else is answered meanwhile: one probe
    speaks for all pages that wait.

    Args:
        pool: Has the connections over which they wait.
        seconds: From a page's request to the end of its wait; 0 waits for as long as the
            browser does.
        probe: Asks Jupyter for something that is quickly answered.
    """

    def __init__(self, pool: Pool, seconds: float, probe: Probe) -> None:
        self._pool = pool
        self._seconds = seconds
        self._probe = probe
        # The probe's time is the last part of the page's.
        self._probe_seconds = min(LONGEST_PROBE_SECONDS, seconds / 3)
        self._not_before = 0.0
        self._probing: asyncio.Task[None] | None = None

    def look(self, now: float) -> None:
        """See whether somebody waits for too long; call it about twice a second.

        Args:
            now: ``time.monotonic()``.
        """
        if not self._seconds or self._probing is not None or now < self._not_before:
            return
        since = now - (self._seconds - self._probe_seconds)
        if any(connection.page_since(since) for connection in self._pool.open):
            self._not_before = now + self._probe_seconds
            self._probing = spawn(self._decide(since), "jupyter: is it silent")

    async def _decide(self, since: float) -> None:
        """Probe; without an answer end the wait of whoever has asked before ``since``."""
        loop = asyncio.get_running_loop()
        over = loop.time() + self._probe_seconds
        try:
            if await self._probe(self._probe_seconds):
                return
            # It may have failed at once.
            await asyncio.sleep(over - loop.time())
            silent = UpstreamSilent(
                f"no answer within {self._seconds:g} s, and a probe beside it had none either"
            )
            for connection in list(self._pool.open):
                if connection.page_since(since):
                    connection.fail(silent)
        finally:
            self._probing = None
