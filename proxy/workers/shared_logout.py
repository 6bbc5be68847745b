"""Revoked sessions, shared by several workers and stored by their supervisor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Any

from proxy.access.revoked_sessions import Revocation, RevokedSessions

log = logging.getLogger("labgate")

SAVE_TIMEOUT_SECONDS = 5.0


class SharedRevokedSessions(RevokedSessions):
    """Sends revocations to the supervisor, and applies those of the other workers.

    Args:
        revocations: The stored revocations.
        send: Sends a revocation to the supervisor, which saves it and sends it to all workers.
    """

    def __init__(
        self, revocations: Iterable[Revocation], send: Callable[[list[Any]], None]
    ) -> None:
        super().__init__(revocations)
        self._send = send
        self._waiting: dict[Revocation, asyncio.Event] = {}

    async def revoke(self, revocation: Revocation) -> None:
        """Revoke a session in all workers, and wait until the supervisor has stored that."""
        self.add(revocation)
        saved = self._waiting.setdefault(revocation, asyncio.Event())
        self._send(list(revocation))
        try:
            async with asyncio.timeout(SAVE_TIMEOUT_SECONDS):
                await saved.wait()
        except TimeoutError:
            log.warning("the supervisor did not confirm that a logout was saved")
        finally:
            self._waiting.pop(revocation, None)

    def apply(self, update: list[Any]) -> None:
        """Add a revocation that another worker sent, or that the supervisor has saved."""
        revocation = Revocation(*update)
        self.add(revocation)
        if revocation in self._waiting:
            self._waiting[revocation].set()
