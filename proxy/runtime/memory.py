"""What labgate's process has of the machine: descriptors enough, memory only as needed."""

from __future__ import annotations

import ctypes
import gc
import resource
from collections.abc import Callable
from contextlib import suppress
from typing import cast

RESERVED_DESCRIPTORS = 512
"""For listeners, files and what is kept open for Jupyter."""

MIN_PEAK_CONNECTIONS = 200
"""So many connections must have gone before it is worth a pause."""

MAX_COLLECT_DELAY_SECONDS = 600.0
FIRST_COLLECT_DELAY_SECONDS = 2.0
"""After a crowd has gone; again after twice as long each time, for the last of it goes when it
likes."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""The parameters of mallopt(3)."""

MALLOC_THRESHOLD_BYTES = 4 * 1024 * 1024
LARGE_BUFFER_BYTES = 192 * 1024


def raise_descriptor_limit(connections: int) -> int:
    """Make room for ``connections`` of two descriptors each; how many of them fit, at least 1.

    The soft limit is often 1024, for the sake of select(2); a client that comes when it is
    reached hears nothing at all. What labgate launches inherits the limit.
    """
    wanted = 2 * connections + RESERVED_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    soft = raise_soft_limit(
        soft, most, lambda limit: resource.setrlimit(resource.RLIMIT_NOFILE, limit), hard
    )
    return max(1, min(connections, (soft - RESERVED_DESCRIPTORS) // 2))


def raise_soft_limit(
    soft: int, wanted: int, set_limit: Callable[[tuple[int, int]], object], hard: int
) -> int:
    """Raise the soft limit to ``wanted``, or as near to it as the system lets us; the limit then.

    macOS tells no hard limit and refuses a soft one above kern.maxfilesperproc all the same,
    which is 10,240 on some machines: half as many are asked for until it agrees.
    """
    while wanted > soft:
        try:
            set_limit((wanted, hard))
        except (OSError, ValueError):
            wanted //= 2
        else:
            return wanted
    return soft


class MemoryReclaimer:
    """Looks after unused memory at quiet moments, where Python and glibc would at any.

    Left to itself Python searches everything for unused cycles again and again while a
    crowd arrives: at 4,000 connections all clients wait half a second each time. Now only
    what is new is searched, a few milliseconds at a time, and the rest here. And glibc
    keeps what was freed below anything still in use, after 4,000 TLS connections more than
    100 MB.
    """

    def __init__(self, now: float) -> None:
        self._peak_connections = 0
        self._delay = MAX_COLLECT_DELAY_SECONDS
        self._collect_at = now + self._delay
        # What was loaded is not searched at all: it has hardly any garbage, and takes 0.04 s.
        gc.freeze()
        gc.set_threshold(5_000, 4, 1_000_000)
        _mallopt(M_TRIM_THRESHOLD, MALLOC_THRESHOLD_BYTES)
        _mallopt(M_MMAP_THRESHOLD, MALLOC_THRESHOLD_BYTES)

    def check(self, connections: int, now: float) -> None:
        """Call it about twice a second with the number of open connections and the clock."""
        self._peak_connections = max(self._peak_connections, connections)
        most_closed = (
            self._peak_connections >= MIN_PEAK_CONNECTIONS
            and connections <= self._peak_connections // 8
        )
        if not most_closed and now < self._collect_at:
            return
        soon_again = not most_closed and self._delay < MAX_COLLECT_DELAY_SECONDS
        self._delay = (
            FIRST_COLLECT_DELAY_SECONDS
            if most_closed
            else min(2 * self._delay, MAX_COLLECT_DELAY_SECONDS)
        )
        self._collect_at = now + self._delay
        if soon_again and connections >= MIN_PEAK_CONNECTIONS:
            # They are back: no quiet moment.
            return
        self._peak_connections = connections
        gc.collect()
        # malloc_trim(3) is glibc's own; other C libraries give back by themselves.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def map_large_buffers(wanted: bool) -> None:
    """Whether big buffers get pages of their own from here on.

    uvloop gives a TLS connection a buffer of 256 KiB for as long as it lives and touches its
    first page. Among other things it covers pages that those have used: 11 KiB a connection.
    Pieces of content are as big, but short-lived; pages of their own would cost uploads half
    as much again.
    """
    _mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER_BYTES if wanted else MALLOC_THRESHOLD_BYTES)


def _find_mallopt() -> Callable[[int, int], object]:
    """mallopt(3) is glibc's own, too."""
    try:
        function = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return lambda _parameter, _value: None
    function.argtypes = [ctypes.c_int, ctypes.c_int]
    return cast(Callable[[int, int], object], function)


_mallopt = _find_mallopt()
