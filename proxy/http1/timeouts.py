"""Connection timeouts: what labgate waits for, and how long."""

from __future__ import annotations

from enum import Enum, auto
from time import monotonic

from proxy.net.limits import Limits
from proxy.rules.decision import Refuse

LATE_HEAD = Refuse(408, "late-head", "The request took too long.", close=True)
LINGER_SECONDS = 2.0
"""How long a client that is still sending may read its response (RFC 9112 section 9.6)."""
UNREAD_SECONDS = 600.0
"""A client that reads nothing at all for this long is not slow but gone."""


class Awaiting(Enum):
    """What labgate waits for next."""

    NOTHING = auto()
    """A request is in progress; its body checks the pace."""
    HEAD = auto()
    """The rest of a head that has begun, or the first one."""
    REQUEST = auto()
    """Another request."""
    END = auto()
    """The client's FIN: nothing else will be read."""


class ConnectionTimeouts:
    """Timeouts of one connection, checked twice a second: thousands of timers would cost more.

    Attributes:
        awaiting: What labgate waits for.
        since: When that wait began, by ``time.monotonic()``.
    """

    __slots__ = ("awaiting", "since")

    def __init__(self) -> None:
        self.begin(Awaiting.HEAD)

    def begin(self, awaiting: Awaiting) -> None:
        """Wait for this from now on."""
        self.awaiting = awaiting
        self.since = monotonic()

    def expired(self, now: float, limits: Limits) -> bool:
        """Whether the wait has taken too long."""
        match self.awaiting:
            case Awaiting.HEAD:
                return now - self.since > limits.head_seconds
            case Awaiting.REQUEST:
                return now - self.since > limits.keep_alive_seconds
            case Awaiting.END:
                return now - self.since > LINGER_SECONDS
        return False
