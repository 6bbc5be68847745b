"""Failed logins, counted by several workers as if there were one process."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from typing import Any

from proxy.access.lockout import Lockout


class SharedLockout(Lockout):
    """Tells the others what it counts, and counts what they tell.

    The clock is ``time.monotonic``, which all processes of a machine have in common.

    Args:
        max_failures: As of ``Lockout``.
        seconds: As of ``Lockout``.
        workers: So many share the attempts that an address may have under way.
        tell: Gets what ``hear`` of the others is to be given.
    """

    def __init__(
        self,
        max_failures: int,
        seconds: float,
        workers: int,
        tell: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__(max_failures, seconds)
        self._workers = workers
        self._tell = tell

    def is_busy(self, address: str, now: float, most: int) -> bool:
        """Whether this worker's share of ``most`` attempts is under way."""
        return super().is_busy(address, now, -(-most // self._workers))

    def max_concurrent_tokens(self, address: str, now: float) -> int:
        """This worker's share of what may be tried at once."""
        return -(-super().max_concurrent_tokens(address, now) // self._workers)

    def failed(self, address: str, account: Hashable, secret: Hashable, now: float) -> bool:
        """Count a failure here and everywhere; returns whether it shut the address out."""
        if isinstance(secret, int):
            # A running number is one of this process only.
            secret = f"{os.getpid()}.{secret}"
        if not self.failed_before(address, secret, now):
            told = {"at": now, "account": _written(account), "secret": _written(secret)}
            self._tell({"address": address, **told})
        return super().failed(address, account, secret, now)

    def succeeded(self, address: str, account: Hashable) -> None:
        """Take back the failures for ``account``, here and everywhere."""
        if address in self._by_address:
            self._tell({"address": address, "account": _written(account)})
        super().succeeded(address, account)

    def hear(self, told: dict[str, Any]) -> None:
        """Another worker counted this: a failure when it has a time, otherwise a success."""
        address, account = told["address"], _read(told["account"])
        if "at" in told:
            super().failed(address, account, _read(told["secret"]), told["at"])
        else:
            super().succeeded(address, account)


def _written(value: Hashable) -> str:
    """Text and octets must not be taken for one another."""
    return f"octets:{value.hex()}" if isinstance(value, bytes) else f"text:{value}"


def _read(written: str) -> Hashable:
    kind, _, value = written.partition(":")
    return bytes.fromhex(value) if kind == "octets" else value
