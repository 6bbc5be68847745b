"""Failed logins of an address: first it is slowed down, then shut out for a while.

Nothing here waits and nothing knows a clock: ``now`` is passed in, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

FIRST_DELAY_SECONDS = 0.5
LONGEST_DELAY_SECONDS = 8.0
MOST_ADDRESSES = 10_000


class Failure(NamedTuple):
    """One login that failed: when, for which account, with which secret (as a digest)."""

    at: float
    account: Hashable
    secret: Hashable


@dataclass(slots=True)
class Standing:
    """What is remembered of one address."""

    failures: list[Failure] = field(default_factory=list)
    shut_until: float = 0.0


class Lockout:
    """Counts failures by address and says what the next attempt of one gets.

    A success takes back the failures for the same account from the same address and no
    others: whoever has one account must not be free to guess at another's for ever.

    Args:
        most_failures: So many within ``seconds`` shut an address out; 0 never does.
        seconds: For how long failures count, and for how long it is shut out.
        most_addresses: Remembered at once; the one whose last failure is oldest goes first.
    """

    def __init__(
        self, most_failures: int, seconds: float, most_addresses: int = MOST_ADDRESSES
    ) -> None:
        self._most_failures = most_failures
        self._seconds = seconds
        self._most_addresses = most_addresses
        self._free = max(1, most_failures // 3)
        self._standings: OrderedDict[str, Standing] = OrderedDict()
        self._under_way: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._standings)

    def shut_seconds(self, address: str, now: float) -> float:
        """How much longer the address is shut out; 0.0 when it is not."""
        standing = self._current(address, now)
        return 0.0 if standing is None else max(0.0, standing.shut_until - now)

    def delay_seconds(self, address: str, now: float) -> float:
        """How long the next attempt waits before it is looked at."""
        if not self._most_failures:
            return 0.0
        standing = self._current(address, now)
        over = 0 if standing is None else len(standing.failures) - self._free
        if standing is None or over < 0:
            return 0.0
        return float(min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(over, 10)))

    def remaining(self, address: str, now: float) -> int:
        """How many more failures the address has; many when nothing is counted."""
        standing = self._current(address, now)
        failures = 0 if standing is None else len(standing.failures)
        return self._most_failures - failures if self._most_failures else MOST_ADDRESSES

    @property
    def counting(self) -> bool:
        """Whether failures are counted at all."""
        return self._most_failures > 0

    def room(self, address: str, now: float) -> int:
        """How many different secrets of an address may be tried at once."""
        return self.remaining(address, now)

    def busy(self, address: str, now: float, most: int) -> bool:
        """Whether ``most`` attempts are under way; a slowed address has one at a time."""
        if self.delay_seconds(address, now):
            most = 1
        return self._under_way.get(address, 0) >= most

    def enter(self, address: str) -> None:
        """An attempt begins; ``leave`` must follow."""
        self._under_way[address] = self._under_way.get(address, 0) + 1

    def leave(self, address: str) -> None:
        """An attempt is over."""
        left = self._under_way.pop(address) - 1
        if left:
            self._under_way[address] = left

    def failed_before(self, address: str, secret: Hashable, now: float) -> bool:
        """Whether this very secret is known to be wrong.

        A browser repeats what it was told on every request of a page: that is one failure.
        """
        standing = self._current(address, now)
        return standing is not None and any(one.secret == secret for one in standing.failures)

    def failed(self, address: str, account: Hashable, secret: Hashable, now: float) -> bool:
        """Count a failure; returns whether it shut the address out."""
        if not self._most_failures or self.failed_before(address, secret, now):
            return False
        standing = self._standings.setdefault(address, Standing())
        self._standings.move_to_end(address)
        standing.failures.append(Failure(now, account, secret))
        while len(self._standings) > self._most_addresses:
            self._standings.popitem(last=False)
        if len(standing.failures) < self._most_failures or standing.shut_until > now:
            return False
        standing.shut_until = now + self._seconds
        return True

    def succeeded(self, address: str, account: Hashable) -> None:
        """Take back the failures for ``account``; a shut-out lasts all the same."""
        standing = self._standings.get(address)
        if standing is not None:
            standing.failures = [one for one in standing.failures if one.account != account]

    def _current(self, address: str, now: float) -> Standing | None:
        """What still counts; an address without any failure is forgotten."""
        standing = self._standings.get(address)
        if standing is None:
            return None
        if standing.shut_until and standing.shut_until <= now:
            # It was away long enough: from here on it counts anew.
            del self._standings[address]
            return None
        if not standing.shut_until:
            since = now - self._seconds
            standing.failures = [one for one in standing.failures if one.at > since]
            if not standing.failures:
                del self._standings[address]
                return None
        return standing
