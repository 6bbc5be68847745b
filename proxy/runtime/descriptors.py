"""Raises the limit of open file descriptors."""

from __future__ import annotations

import resource
from collections.abc import Callable

RESERVED_DESCRIPTORS = 256
"""Descriptors for listeners and files."""


def raise_descriptor_limit(connections: int, others: int = 0) -> int:
    """Raise the soft limit for ``connections`` of two descriptors each, and for ``others``.

    The soft limit is often 1024, for programs that use select(2). Once it is reached, new clients
    get no answer at all. Child processes inherit the raised limit.

    Args:
        connections: How many there may be.
        others: Descriptors for anything else but listeners and files.

    Returns:
        How many connections fit, at least 1.
    """
    reserved = RESERVED_DESCRIPTORS + others
    wanted = 2 * connections + reserved
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    soft = raise_soft_limit(
        soft, most, lambda limit: resource.setrlimit(resource.RLIMIT_NOFILE, limit), hard
    )
    return max(1, min(connections, (soft - reserved) // 2))


def raise_soft_limit(
    soft: int, wanted: int, set_limit: Callable[[tuple[int, int]], object], hard: int
) -> int:
    """Raise the soft limit to ``wanted`` or to what the system accepts; returns the new limit.

    macOS reports no hard limit, but refuses a soft limit above kern.maxfilesperproc, which is
    10,240 on some machines. So ``wanted`` is halved until the system accepts it.
    """
    while wanted > soft:
        try:
            set_limit((wanted, hard))
        except (OSError, ValueError):
            wanted //= 2
        else:
            return wanted
    return soft
