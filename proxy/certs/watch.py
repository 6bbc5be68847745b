"""Looks at the certificates' files again and again."""

from __future__ import annotations

import asyncio

from .store import CertificateStore

LOOK_SECONDS = 2.0


async def watch(store: CertificateStore, seconds: float = LOOK_SECONDS) -> None:
    """Look every ``seconds``, until cancelled.

    Reading two small files costs some 30 microseconds and sees what inotify would not: a
    link's other target, a folder that is exchanged as a whole, a network file system.
    """
    while True:
        await asyncio.sleep(seconds)
        store.look()
