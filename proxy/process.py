"""What labgate's process has of the machine: descriptors enough, memory only as needed."""

from __future__ import annotations

import ctypes
import gc
import resource
from contextlib import suppress
from time import monotonic

OWN_DESCRIPTORS = 512
"""For listeners, files and what is kept open for Jupyter."""

CROWD = 200
"""So many connections must have gone before it is worth a pause."""

COLLECT_SECONDS = 600.0


def room_for(connections: int) -> int:
    """Make room for ``connections`` of two descriptors each; how many of them fit, at least 1.

    The soft limit is often 1024, for the sake of select(2); a client that comes when it is
    reached hears nothing at all. What labgate launches inherits the limit.
    """
    wanted = 2 * connections + OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    with suppress(OSError, ValueError):
        raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    return max(1, min(connections, (soft - OWN_DESCRIPTORS) // 2))


class Memory:
    """Looks after unused memory at quiet moments, where Python and glibc would at any.

    Left to itself Python searches everything for unused cycles again and again while a
    crowd arrives: at 4,000 connections all clients wait half a second each time. Now only
    what is new is searched, a few milliseconds at a time, and the rest here. And glibc
    keeps what was freed below anything still in use, after 4,000 TLS connections more than
    100 MB.
    """

    def __init__(self) -> None:
        self._crest = 0
        self._collected_at = monotonic()
        gc.collect()
        gc.freeze()
        gc.set_threshold(5_000, 4, 1_000_000)

    def look(self, connections: int) -> None:
        """Call it about once a second with the number of open connections."""
        self._crest = max(self._crest, connections)
        now = monotonic()
        ebbed = self._crest >= CROWD and connections <= self._crest // 8
        if not ebbed and now - self._collected_at < COLLECT_SECONDS:
            return
        self._crest = connections
        self._collected_at = now
        gc.collect()
        # malloc_trim(3) is glibc's own; other C libraries give back by themselves.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)
