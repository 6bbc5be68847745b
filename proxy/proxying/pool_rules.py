"""Which idle connection a request takes, which ones are closed, and when to look again.

Also what it means if none can be opened. No I/O: the pool does what these rules say. The idle
connections are a dict from each of them to the time since when it has been idle, in the order of
these times.
"""

from __future__ import annotations

import errno
from collections.abc import Hashable
from itertools import islice
from socket import gaierror
from typing import NamedTuple, TypeVar

C = TypeVar("C", bound=Hashable)

NOT_OF_THE_UPSTREAM = frozenset(
    {
        *(errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM),
        errno.EADDRNOTAVAIL,
        errno.EAGAIN,
    }
)
"""Errors of ``connect(2)``: no descriptor or memory for another connection here, no local port, or
too many connections that a Unix socket's owner has not accepted yet."""


class IdleLimits(NamedTuple):
    """What limits the idle connections of a pool.

    Attributes:
        connections: How many there may be.
        seconds: How long each may be idle. The upstream closes idle connections too, and a
            request that meets that end may have to be sent again.
    """

    connections: int
    seconds: float


def to_take(idle: dict[C, float], now: float, limits: IdleLimits) -> C | None:
    """The connection for the next request; None if a new one must be dialled.

    It is the connection used last, which the upstream has had the least time to close. Those
    that are not needed any more grow old, and are closed.
    """
    for connection in reversed(idle):
        return connection if now - idle[connection] < limits.seconds else None
    return None


def to_close(idle: dict[C, float], now: float, limits: IdleLimits) -> list[C]:
    """The connections that have been idle for too long, or that are too many: the oldest ones."""
    surplus = max(0, len(idle) - limits.connections)
    old = sum(now - since >= limits.seconds for since in idle.values())
    return list(islice(idle, max(surplus, old)))


def next_check(idle: dict[C, float], limits: IdleLimits) -> float | None:
    """When the first of them will have been idle for too long; None if there is none."""
    for since in idle.values():
        return since + limits.seconds
    return None


def may_have_ended(error: OSError) -> bool:
    """Whether the upstream may have ended, as no connection to it could be opened.

    Not if labgate lacks something, and not if a name was not found: without descriptors no name
    is.
    """
    return error.errno not in NOT_OF_THE_UPSTREAM and not isinstance(error, gaierror)
