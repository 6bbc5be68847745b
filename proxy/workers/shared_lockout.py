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
        send: Sends an update, which the other workers pass to ``apply``.
    """

    def __init__(
        self,
        max_failures: int,
        seconds: float,
        workers: int,
        send: Callable[[dict[str, Any]], None],
    ) -> None:
        super().__init__(max_failures, seconds)
        self._workers = workers
        self._send = send

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
            update = {"at": now, "account": _encoded(account), "secret": _encoded(secret)}
            self._send({"address": address, **update})
        return super().failed(address, account, secret, now)

    def succeeded(self, address: str, account: Hashable) -> None:
        """Take back the failures for ``account``, here and everywhere."""
        if address in self._by_address:
            self._send({"address": address, "account": _encoded(account)})
        super().succeeded(address, account)

    def apply(self, update: dict[str, Any]) -> None:
        """Another worker counted this: a failure when it has a time, otherwise a success."""
        address, account = update["address"], _decoded(update["account"])
        if "at" in update:
            super().failed(address, account, _decoded(update["secret"]), update["at"])
        else:
            super().succeeded(address, account)


def _encoded(value: Hashable) -> str:
    """Text and octets must not be taken for one another."""
    return f"octets:{value.hex()}" if isinstance(value, bytes) else f"text:{value}"


def _decoded(written: str) -> Hashable:
    kind, _, value = written.partition(":")
    return bytes.fromhex(value) if kind == "octets" else value
