"""Counts failed logins by address: delays the next attempts, then locks the address out.

Nothing here waits or reads a clock: callers pass ``now`` in seconds.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

FIRST_DELAY_SECONDS = 0.5
MAX_DELAY_SECONDS = 8.0
MAX_ADDRESSES = 10_000


Update = dict[str, Any]
"""A failure, a success or a lockout as JSON, for another process of this machine: its clock is the
same ``time.monotonic``."""


class Failure(NamedTuple):
    """One failed login: its time, the account, and a digest of the secret."""

    at: float
    account: Hashable
    secret: Hashable


@dataclass(slots=True)
class AddressFailures:
    """The failures of one address."""

    failures: list[Failure] = field(default_factory=list)
    locked_until: float = 0.0


class Lockout:
    """Counts failures by address, and decides the delay or lockout of the next attempt.

    A success removes the address's failures for the same account, and no others: otherwise the
    owner of one account could guess the password of another without limit.

    Attributes:
        caused: How many times this process locked an address out; other workers are not counted.

    Args:
        max_failures: This many within ``seconds`` lock an address out; 0 disables lockouts.
        seconds: How long failures count, and how long a lockout lasts.
        max_addresses: How many addresses are remembered; the one with the oldest last failure
            is forgotten first.
    """

    def __init__(
        self, max_failures: int, seconds: float, max_addresses: int = MAX_ADDRESSES
    ) -> None:
        self._max_addresses = max_addresses
        self.change(max_failures, seconds)
        self._by_address: OrderedDict[str, AddressFailures] = OrderedDict()
        self._attempts: dict[str, int] = {}
        self.caused = 0

    def __len__(self) -> int:
        return len(self._by_address)

    def change(self, max_failures: int, seconds: float) -> None:
        """Decide by other numbers from now on; failures and lockouts so far still count."""
        self._max_failures = max_failures
        self._seconds = seconds
        self._undelayed_failures = max(1, max_failures // 3)

    def locked_out_seconds(self, address: str, now: float) -> float:
        """How many seconds the address remains locked out; 0.0 if it is not."""
        known = self._current(address, now)
        return 0.0 if known is None else max(0.0, known.locked_until - now)

    def delay_seconds(self, address: str, now: float) -> float:
        """How many seconds the next attempt must wait before it is checked."""
        if not self._max_failures:
            return 0.0
        known = self._current(address, now)
        if known is None or len(known.failures) < self._undelayed_failures:
            return 0.0
        over = len(known.failures) - self._undelayed_failures
        return float(min(MAX_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2 ** min(over, 10)))

    def remaining_failures(self, address: str, now: float) -> int:
        """How many failures lock the address out; a large number if lockouts are disabled."""
        known = self._current(address, now)
        failures = 0 if known is None else len(known.failures)
        return self._max_failures - failures if self._max_failures else MAX_ADDRESSES

    @property
    def is_enabled(self) -> bool:
        """Whether failures are counted."""
        return self._max_failures > 0

    def max_concurrent_tokens(self, address: str, now: float) -> int:
        """How many different tokens of an address may be tried concurrently."""
        return self.remaining_failures(address, now)

    def is_busy(self, address: str, now: float, most: int) -> bool:
        """Whether ``most`` attempts are running; a delayed address may have only one."""
        if self.delay_seconds(address, now):
            most = 1
        return self._attempts.get(address, 0) >= most

    def acquire(self, address: str) -> None:
        """Count a running attempt; call ``release`` when it ends."""
        self._attempts[address] = self._attempts.get(address, 0) + 1

    def release(self, address: str) -> None:
        """Stop counting an attempt."""
        left = self._attempts.pop(address) - 1
        if left:
            self._attempts[address] = left

    def failed_before(self, address: str, secret: Hashable, now: float) -> bool:
        """Whether the same secret failed before.

        A browser repeats a password on every request of a page: that counts as one failure.
        """
        known = self._current(address, now)
        return known is not None and any(one.secret == secret for one in known.failures)

    def failed(self, address: str, account: Hashable, secret: Hashable, now: float) -> bool:
        """Count a failure; returns whether it locks the address out."""
        return self._add_failure(address, Failure(now, account, secret))

    def _add_failure(self, address: str, failure: Failure) -> bool:
        now = failure.at
        if not self._max_failures or self.failed_before(address, failure.secret, now):
            return False
        known = self._latest(address)
        known.failures.append(failure)
        if len(known.failures) < self._max_failures or known.locked_until > now:
            return False
        known.locked_until = now + self._seconds
        return True

    def _latest(self, address: str) -> AddressFailures:
        """The record of an address, moved to the end: the first record is forgotten first."""
        known = self._by_address.setdefault(address, AddressFailures())
        self._by_address.move_to_end(address)
        while len(self._by_address) > self._max_addresses:
            self._by_address.popitem(last=False)
        return known

    def succeeded(self, address: str, account: Hashable) -> None:
        """Remove the failures for ``account``; a lockout still lasts."""
        self._remove_failures(address, account)

    def _remove_failures(self, address: str, account: Hashable) -> None:
        known = self._by_address.get(address)
        if known is not None:
            known.failures = [one for one in known.failures if one.account != account]

    def updates(self) -> list[Update]:
        """All failures and lockouts, for ``apply`` in another process."""
        found: list[Update] = []
        for address, known in self._by_address.items():
            found += [failure_update(address, failure) for failure in known.failures]
            if known.locked_until:
                found.append({"address": address, "locked_until": known.locked_until})
        return found

    def apply(self, update: Update) -> None:
        """Count what another process has counted; the same twice counts once."""
        match update:
            case {"address": address, "locked_until": until}:
                if self._max_failures:
                    known = self._latest(address)
                    known.locked_until = max(known.locked_until, until)
            case {"address": address, "account": account, "secret": secret, "at": at}:
                self._add_failure(address, Failure(at, _decoded(account), _decoded(secret)))
            case {"address": address, "account": account}:
                self._remove_failures(address, _decoded(account))

    def locked_out(self, now: float) -> dict[str, float]:
        """The addresses that are locked out, each with the seconds that remain."""
        lasting = {key: known.locked_until - now for key, known in self._by_address.items()}
        return {address: seconds for address, seconds in lasting.items() if seconds > 0}

    def forget(self, address: str) -> None:
        """Lift the lockout of an address, and forget its failures."""
        self._by_address.pop(address, None)

    def _current(self, address: str, now: float) -> AddressFailures | None:
        """The failures that still count; forgets an address without any."""
        known = self._by_address.get(address)
        if known is None:
            return None
        if known.locked_until and known.locked_until <= now:
            # The lockout has ended: start counting from zero.
            del self._by_address[address]
            return None
        if not known.locked_until:
            since = now - self._seconds
            known.failures = [one for one in known.failures if one.at > since]
            if not known.failures:
                del self._by_address[address]
                return None
        return known


def failure_update(address: str, failure: Failure) -> Update:
    """A failure for ``Lockout.apply`` in another process."""
    account, secret = _encoded(failure.account), _encoded(failure.secret)
    return {"address": address, "at": failure.at, "account": account, "secret": secret}


def success_update(address: str, account: Hashable) -> Update:
    """A success for ``Lockout.apply`` in another process."""
    return {"address": address, "account": _encoded(account)}


def _encoded(value: Hashable) -> str:
    """Encode for JSON so that text and octets differ."""
    return f"octets:{value.hex()}" if isinstance(value, bytes) else f"text:{value}"


def _decoded(written: str) -> Hashable:
    kind, _, value = written.partition(":")
    return bytes.fromhex(value) if kind == "octets" else value
