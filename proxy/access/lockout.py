"""Failed logins of an address: first it is slowed down, then shut out for a while.

Nothing here waits and nothing knows a clock: ``now`` is passed in, in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import NamedTuple

FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 8.0
MAX_ADDRESSES = 10_000


class Failure(NamedTuple):
    """One login that failed: when, for which account, with which secret (as a digest)."""

    at: float
    account: Hashable
    secret: Hashable


@dataclass(slots=True)
class AddressFailures:
    """What is remembered of one address."""

    failures: list[Failure] = field(default_factory=list)
    locked_until: float = 0.0


class Lockout:
    """Counts failures by address and says what the next attempt of one gets.

    A success takes back the failures for the same account from the same address and no
    others: whoever has one account must not be free to guess at another's for ever.

    Args:
        max_failures: So many within ``seconds`` shut an address out; 0 never does.
        seconds: For how long failures count, and for how long it is shut out.
        max_addresses: Remembered at once; the one whose last failure is oldest goes first.
    """

    def __init__(
        self, max_failures: int, seconds: float, max_addresses: int = MAX_ADDRESSES
    ) -> None:
        self._max_failures = max_failures
        self._seconds = seconds
        self._max_addresses = max_addresses
        self._undelayed_failures = max(1, max_failures // 3)
        self._by_address: OrderedDict[str, AddressFailures] = OrderedDict()
        self._attempts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._by_address)

    def locked_out_seconds(self, address: str, now: float) -> float:
        """How much longer the address is shut out; 0.0 when it is not."""
        known = self._current(address, now)
        return 0.0 if known is None else max(0.0, known.locked_until - now)

    def delay_seconds(self, address: str, now: float) -> float:
        """How long the next attempt waits before it is looked at."""
        if not self._max_failures:
            return 0.0
        known = self._current(address, now)
        over = 0 if known is None else len(known.failures) - self._undelayed_failures
        if known is None or over < 0:
            return 0.0
        return float(min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(over, 10)))

    def remaining_failures(self, address: str, now: float) -> int:
        """How many more failures the address has; many when nothing is counted."""
        known = self._current(address, now)
        failures = 0 if known is None else len(known.failures)
        return self._max_failures - failures if self._max_failures else MAX_ADDRESSES

    @property
    def is_enabled(self) -> bool:
        """Whether failures are counted at all."""
        return self._max_failures > 0

    def max_concurrent_tokens(self, address: str, now: float) -> int:
        """How many different secrets of an address may be tried at once."""
        return self.remaining_failures(address, now)

    def is_busy(self, address: str, now: float, most: int) -> bool:
        """Whether ``most`` attempts are under way; a slowed address has one at a time."""
        if self.delay_seconds(address, now):
            most = 1
        return self._attempts.get(address, 0) >= most

    def acquire(self, address: str) -> None:
        """An attempt begins; ``release`` must follow."""
        self._attempts[address] = self._attempts.get(address, 0) + 1

    def release(self, address: str) -> None:
        """An attempt is over."""
        left = self._attempts.pop(address) - 1
        if left:
            self._attempts[address] = left

    def failed_before(self, address: str, secret: Hashable, now: float) -> bool:
        """Whether this very secret is known to be wrong.

        A browser repeats what it was told on every request of a page: that is one failure.
        """
        known = self._current(address, now)
        return known is not None and any(one.secret == secret for one in known.failures)

    def failed(self, address: str, account: Hashable, secret: Hashable, now: float) -> bool:
        """Count a failure; returns whether it shut the address out."""
        if not self._max_failures or self.failed_before(address, secret, now):
            return False
        known = self._by_address.setdefault(address, AddressFailures())
        self._by_address.move_to_end(address)
        known.failures.append(Failure(now, account, secret))
        while len(self._by_address) > self._max_addresses:
            self._by_address.popitem(last=False)
        if len(known.failures) < self._max_failures or known.locked_until > now:
            return False
        known.locked_until = now + self._seconds
        return True

    def succeeded(self, address: str, account: Hashable) -> None:
        """Take back the failures for ``account``; a shut-out lasts all the same."""
        known = self._by_address.get(address)
        if known is not None:
            known.failures = [one for one in known.failures if one.account != account]

    def _current(self, address: str, now: float) -> AddressFailures | None:
        """What still counts; an address without any failure is forgotten."""
        known = self._by_address.get(address)
        if known is None:
            return None
        if known.locked_until and known.locked_until <= now:
            # It was away long enough: from here on it counts anew.
            del self._by_address[address]
            return None
        if not known.locked_until:
            since = now - self._seconds
            known.failures = [one for one in known.failures if one.at > since]
            if not known.failures:
                del self._by_address[address]
                return None
        return known
