"""Counts failed logins in several workers as if there were one process."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable
from typing import Any

from proxy.access.lockout import Lockout


class SharedLockout(Lockout):
    """Sends its failures to the other workers, and counts theirs.

    The clock is ``time.monotonic``, which is the same in all processes of a machine.

    Args:
        max_failures: As in ``Lockout``.
        seconds: As in ``Lockout``.
        workers: The number of workers; each allows its share of the concurrent attempts.
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
        """Whether this worker's share of ``most`` attempts is running."""
        return super().is_busy(address, now, -(-most // self._workers))

    def max_concurrent_tokens(self, address: str, now: float) -> int:
        """This worker's share of the tokens that may be tried concurrently."""
        return -(-super().max_concurrent_tokens(address, now) // self._workers)

    def failed(self, address: str, account: Hashable, secret: Hashable, now: float) -> bool:
        """Count a failure in all workers; returns whether it locks the address out."""
        if isinstance(secret, int):
            # Numbers are unique in this process only.
            secret = f"{os.getpid()}.{secret}"
        if not self.failed_before(address, secret, now):
            update = {"at": now, "account": _encoded(account), "secret": _encoded(secret)}
            self._send({"address": address, **update})
        return super().failed(address, account, secret, now)

    def succeeded(self, address: str, account: Hashable) -> None:
        """Remove the failures for ``account`` in all workers."""
        if address in self._by_address:
            self._send({"address": address, "account": _encoded(account)})
        super().succeeded(address, account)

    def apply(self, update: dict[str, Any]) -> None:
        """Apply an update of another worker: a failure if it has a time, otherwise a success."""
        address, account = update["address"], _decoded(update["account"])
        if "at" in update:
            super().failed(address, account, _decoded(update["secret"]), update["at"])
        else:
            super().succeeded(address, account)


def _encoded(value: Hashable) -> str:
    """Encode for JSON so that text and octets differ."""
    return f"octets:{value.hex()}" if isinstance(value, bytes) else f"text:{value}"


def _decoded(written: str) -> Hashable:
    kind, _, value = written.partition(":")
    return bytes.fromhex(value) if kind == "octets" else value
