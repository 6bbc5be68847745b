"""The end of a session, known to several workers and kept by their supervisor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from proxy.access.revoked_sessions import Revocation, RevokedSessions

log = logging.getLogger("labgate")

PATIENCE_SECONDS = 5.0


class SharedRevokedSessions(RevokedSessions):
    """Tells the others whose session is over, and hears it of them.

    Args:
        revocations: What was kept.
        tell: Gets what ``hear`` of the others is to be given, and ``kept`` once it is on disk.
    """

    def __init__(
        self, revocations: Iterable[Revocation], tell: Callable[[list[Any]], None]
    ) -> None:
        super().__init__(revocations)
        self._tell = tell
        self._waiting: dict[Revocation, asyncio.Event] = {}

    async def revoke(self, revocation: Revocation) -> None:
        """End a session here and everywhere, and wait until that is kept."""
        self.add(revocation)
        kept = self._waiting.setdefault(revocation, asyncio.Event())
        self._tell(list(revocation))
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await kept.wait()
        except TimeoutError:
            log.warning("the supervisor does not say that it has kept a logout")
        finally:
            self._waiting.pop(revocation, None)

    def hear(self, told: list[Any]) -> None:
        """Another worker ended this one, or the supervisor has kept what was told to it."""
        revocation = Revocation(*told)
        self.add(revocation)
        if revocation in self._waiting:
            self._waiting[revocation].set()
