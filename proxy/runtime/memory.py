"""Collects garbage and returns memory to the system when few connections are open."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress
from typing import cast

MIN_PEAK_CONNECTIONS = 200
"""After a peak below this, collecting early is not worth the pause."""

MAX_COLLECT_DELAY_SECONDS = 600.0
FIRST_COLLECT_DELAY_SECONDS = 2.0
"""After most connections of a peak have closed; the delay then doubles each time, because the
last ones close late."""

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""The parameters of mallopt(3)."""

MALLOC_THRESHOLD_BYTES = 4 * 1024 * 1024
LARGE_BUFFER_BYTES = 192 * 1024


class MemoryReclaimer:
    """Runs full garbage collections at quiet moments instead of under load.

    By default Python searches all objects for reference cycles while many clients connect: at
    4,000 connections every client waits half a second each time. Here only new objects are
    searched automatically, a few milliseconds at a time, and all objects in ``check``. It also
    returns free memory: after 4,000 TLS connections glibc otherwise keeps more than 100 MB.
    """

    def __init__(self, now: float) -> None:
        self._peak_connections = 0
        self._delay = MAX_COLLECT_DELAY_SECONDS
        self._collect_at = now + self._delay
        # Loaded modules are never searched: they have hardly any garbage, and it takes 0.04 s.
        gc.freeze()
        gc.set_threshold(5_000, 4, 1_000_000)
        _mallopt(M_TRIM_THRESHOLD, MALLOC_THRESHOLD_BYTES)
        _mallopt(M_MMAP_THRESHOLD, MALLOC_THRESHOLD_BYTES)

    def check(self, connections: int, now: float) -> None:
        """Call it twice a second with the number of open connections and the monotonic clock."""
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
            # Many have connected again.
            return
        self._peak_connections = connections
        gc.collect()
        return_free_memory()


def return_free_memory() -> None:
    """Return what malloc(3) keeps for later to the system, from all threads' heaps.

    malloc_trim(3) is of glibc; other C libraries return memory by themselves.
    """
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def map_large_buffers(wanted: bool) -> None:
    """Whether malloc(3) maps buffers of ``LARGE_BUFFER_BYTES`` and more from now on.

    uvloop allocates a buffer of 256 KiB for each TLS connection and touches only its first page.
    On the heap such a buffer covers pages that were used before, which costs 11 KiB a
    connection. Chunks of bodies are as large, but short-lived: mapping those would make uploads
    half as expensive again.
    """
    _mallopt(M_MMAP_THRESHOLD, LARGE_BUFFER_BYTES if wanted else MALLOC_THRESHOLD_BYTES)


def _find_mallopt() -> Callable[[int, int], object]:
    """mallopt(3) is of glibc, too; elsewhere it does nothing."""
    try:
        function = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return lambda _parameter, _value: None
    function.argtypes = [ctypes.c_int, ctypes.c_int]
    return cast(Callable[[int, int], object], function)


_mallopt = _find_mallopt()
