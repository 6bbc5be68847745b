"""Several workers count failed logins as one would."""

from __future__ import annotations

import json
from collections.abc import Hashable
from typing import Any

import pytest

from proxy.workers.shared_lockout import SharedLockout

ADDRESS = "192.0.2.7"


def pair(most: int) -> tuple[SharedLockout, SharedLockout]:
    """Two workers' lockouts; what one tells goes through JSON to the other."""
    lockouts: list[SharedLockout] = []

    def from_first(update: dict[str, Any]) -> None:
        lockouts[1].apply(json.loads(json.dumps(update)))

    def from_second(update: dict[str, Any]) -> None:
        lockouts[0].apply(json.loads(json.dumps(update)))

    lockouts += [
        SharedLockout(most, 900.0, 2, from_first),
        SharedLockout(most, 900.0, 2, from_second),
    ]
    return lockouts[0], lockouts[1]


@pytest.mark.parametrize("account", ["ada", "octets:ada", b"/login"])
def test_failures_at_both_add_up(account: Hashable) -> None:
    first, second = pair(4)
    for number in range(4):
        (first, second)[number % 2].failed(ADDRESS, account, b"guess %d" % number, float(number))
    assert (
        first.locked_out_seconds(ADDRESS, 4.0) == second.locked_out_seconds(ADDRESS, 4.0) == 899.0
    )


def test_the_same_wrong_password_counts_once() -> None:
    first, second = pair(2)
    for lockout in (first, second, first):
        lockout.failed(ADDRESS, "ada", b"digest", 1.0)
    assert first.remaining_failures(ADDRESS, 1.0) == second.remaining_failures(ADDRESS, 1.0) == 1


@pytest.mark.parametrize("account", ["ada", b"/login"])
def test_a_success_at_one_takes_back_the_failures_at_both(account: Hashable) -> None:
    first, second = pair(10)
    first.failed(ADDRESS, account, b"digest", 1.0)
    second.succeeded(ADDRESS, account)
    assert first.remaining_failures(ADDRESS, 1.0) == second.remaining_failures(ADDRESS, 1.0) == 10


def test_a_burst_is_as_big_as_with_one_process() -> None:
    first, second = pair(10)
    entered = 0
    for lockout in (first, second):
        while not lockout.is_busy(ADDRESS, 1.0, lockout.remaining_failures(ADDRESS, 1.0)):
            lockout.acquire(ADDRESS)
            entered += 1
    assert entered == 10


def test_different_tokens_are_tried_at_once_by_both_as_by_one() -> None:
    first, second = pair(10)
    assert (
        first.max_concurrent_tokens(ADDRESS, 1.0) + second.max_concurrent_tokens(ADDRESS, 1.0) == 10
    )
    first.failed(ADDRESS, b"digest", b"digest", 1.0)
    assert second.max_concurrent_tokens(ADDRESS, 1.0) == 5
    second.succeeded(ADDRESS, b"digest")
    assert first.remaining_failures(ADDRESS, 1.0) == 10
