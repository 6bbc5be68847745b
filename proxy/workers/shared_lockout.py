"""Counts failed logins in several workers as if there were one process."""

from __future__ import annotations

from collections.abc import Callable, Hashable

from proxy.access.lockout import Failure, Lockout, Update, failure_update, success_update


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
        send: Callable[[Update], None],
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
        if not self.failed_before(address, secret, now):
            self._send(failure_update(address, Failure(now, account, secret)))
        return super().failed(address, account, secret, now)

    def succeeded(self, address: str, account: Hashable) -> None:
        """Remove the failures for ``account`` in all workers."""
        if address in self._by_address:
            self._send(success_update(address, account))
        super().succeeded(address, account)
