"""What labgate's process has of the machine: descriptors enough, memory only as needed."""

from __future__ import annotations

import ctypes
import gc
import resource
from collections.abc import Callable
from contextlib import suppress
from typing import cast

OWN_DESCRIPTORS = 512
"""For listeners, files and what is kept open for Jupyter."""

CROWD = 200
"""So many connections must have gone before it is worth a pause."""

COLLECT_SECONDS = 600.0
SOON_SECONDS = 2.0
"""After a crowd has gone; again after twice as long each time, for the last of it goes when it
likes."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""The parameters of mallopt(3)."""

KEPT_BYTES = 4 * 1024 * 1024
OWN_PAGES_BYTES = 192 * 1024


def room_for(connections: int) -> int:
    """Make room for ``connections`` of two descriptors each; how many of them fit, at least 1.

    The soft limit is often 1024, for the sake of select(2); a client that comes when it is
    reached hears nothing at all. What labgate launches inherits the limit.
    """
    wanted = 2 * connections + OWN_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    soft = raised(soft, most, lambda limit: resource.setrlimit(resource.RLIMIT_NOFILE, limit), hard)
    return max(1, min(connections, (soft - OWN_DESCRIPTORS) // 2))


def raised(
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


class Memory:
    """Looks after unused memory at quiet moments, where Python and glibc would at any.

    Left to itself Python searches everything for unused cycles again and again while a
    crowd arrives: at 4,000 connections all clients wait half a second each time. Now only
    what is new is searched, a few milliseconds at a time, and the rest here. And glibc
    keeps what was freed below anything still in use, after 4,000 TLS connections more than
    100 MB.
    """

    def __init__(self, now: float) -> None:
        self._crest = 0
        self._pause = COLLECT_SECONDS
        self._collect_at = now + self._pause
        # What was loaded is not searched at all: it has hardly any garbage, and takes 0.04 s.
        gc.freeze()
        gc.set_threshold(5_000, 4, 1_000_000)
        _mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        _mallopt(M_MMAP_THRESHOLD, KEPT_BYTES)

    def look(self, connections: int, now: float) -> None:
        """Call it about twice a second with the number of open connections and the clock."""
        self._crest = max(self._crest, connections)
        ebbed = self._crest >= CROWD and connections <= self._crest // 8
        if not ebbed and now < self._collect_at:
            return
        soon_again = not ebbed and self._pause < COLLECT_SECONDS
        self._pause = SOON_SECONDS if ebbed else min(2 * self._pause, COLLECT_SECONDS)
        self._collect_at = now + self._pause
        if soon_again and connections >= CROWD:
            # They are back: no quiet moment.
            return
        self._crest = connections
        gc.collect()
        # malloc_trim(3) is glibc's own; other C libraries give back by themselves.
        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def own_pages(wanted: bool) -> None:
    """Whether big buffers get pages of their own from here on.

    uvloop gives a TLS connection a buffer of 256 KiB for as long as it lives and touches its
    first page. Among other things it covers pages that those have used: 11 KiB a connection.
    Pieces of content are as big, but short-lived; pages of their own would cost uploads half
    as much again.
    """
    _mallopt(M_MMAP_THRESHOLD, OWN_PAGES_BYTES if wanted else KEPT_BYTES)


def _find_mallopt() -> Callable[[int, int], object]:
    """mallopt(3) is glibc's own, too."""
    try:
        function = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return lambda _parameter, _value: None
    function.argtypes = [ctypes.c_int, ctypes.c_int]
    return cast(Callable[[int, int], object], function)


_mallopt = _find_mallopt()
