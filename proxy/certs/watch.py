"""Polls the certificates' files."""

from __future__ import annotations

import asyncio

from .store import CertificateStore

POLL_SECONDS = 2.0


async def watch(store: CertificateStore, seconds: float = POLL_SECONDS) -> None:
    """Reload the files every ``seconds``, until cancelled.

    Reading two small files costs some 30 microseconds and notices what inotify does not: a
    link with a new target, a folder replaced as a whole, a network file system.
    """
    while True:
        await asyncio.sleep(seconds)
        store.reload()
