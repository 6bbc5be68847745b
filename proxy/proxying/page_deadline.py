"""The deadline of a browser's page while Jupyter does not respond at all."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from proxy.errors import UpstreamSilent
from proxy.proxying.pool import Pool
from proxy.runtime.tasks import spawn

LONGEST_PROBE_SECONDS = 5.0

ProbeUpstream = Callable[[float], Awaitable[bool]]
"""Whether Jupyter responds to a simple request within so many seconds."""


class PageDeadline:
    """Fails requests for pages when Jupyter accepts requests and responds to none.

    A page may take long, for example when a notebook is converted to another format. So before
    a page fails, a probe finds out whether Jupyter responds to a simple request. One probe serves
    for all pages.

    Args:
        pool: The connections to Jupyter.
        seconds: From the end of a page's request to its failure; 0 for never.
        probe: Sends Jupyter a simple request.
    """

    def __init__(self, pool: Pool, seconds: float, probe: ProbeUpstream) -> None:
        self._pool = pool
        self._seconds = seconds
        self._probe = probe
        # The probe runs in the last part of the page's time.
        self._probe_seconds = min(LONGEST_PROBE_SECONDS, seconds / 3)
        self._not_before = 0.0
        self._probing: asyncio.Task[None] | None = None

    def look(self, now: float) -> None:
        """Start a probe if a page has waited for too long; call it about twice a second.

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
        """Probe; without a response fail the pages requested before ``since``."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._probe_seconds
        try:
            if await self._probe(self._probe_seconds):
                return
            # A probe that failed at once must not shorten the page's time.
            await asyncio.sleep(end - loop.time())
            silent = UpstreamSilent(
                f"no answer within {self._seconds:g} s, and a probe beside it had none either"
            )
            for connection in list(self._pool.open):
                if connection.page_since(since):
                    connection.fail(silent)
        finally:
            self._probing = None
