"""Failures against a clock that is passed in."""

from __future__ import annotations

import json
import re
from collections.abc import Hashable

import pytest

from proxy.access.lockout import Lockout, success_update
from proxy.access.login_state import LoginState
from proxy.rules.networks import limit_key

HERE, THERE = "192.0.2.1", "192.0.2.2"


def fail(lockout: Lockout, count: int, *, now: float = 0.0, account: str = "ada") -> bool:
    """So many failures with different passwords; whether the last one shut the address out."""
    shut = False
    for _ in range(count):
        shut = lockout.failed(HERE, account, object(), now)
    return shut


@pytest.mark.parametrize(
    ("most", "failures", "delay"),
    [
        (10, 0, 0.0),
        (10, 2, 0.0),
        (10, 3, 0.5),
        (10, 4, 1.0),
        (10, 5, 2.0),
        (10, 6, 4.0),
        (10, 7, 8.0),
        (10, 9, 8.0),
        (1, 0, 0.0),
        (2, 1, 0.5),
        (500, 499, 8.0),
        (0, 500, 0.0),
    ],
)
def test_delay(most: int, failures: int, delay: float) -> None:
    lockout = Lockout(most, 900.0)
    assert not fail(lockout, failures)
    assert lockout.delay_seconds(HERE, 1.0) == delay
    assert lockout.delay_seconds(THERE, 1.0) == 0.0
    assert lockout.locked_out_seconds(HERE, 1.0) == 0.0


def test_shut_out_for_a_while_and_then_anew() -> None:
    lockout = Lockout(3, 900.0)
    assert not fail(lockout, 2, now=10.0)
    assert fail(lockout, 1, now=100.0)
    assert lockout.locked_out_seconds(HERE, 100.0) == 900.0
    assert lockout.locked_out_seconds(HERE, 999.5) == 0.5
    assert lockout.locked_out_seconds(THERE, 100.0) == 0.0
    # What comes in meanwhile does not make it longer.
    assert not fail(lockout, 5, now=500.0)
    assert lockout.locked_out_seconds(HERE, 1000.0) == 0.0
    assert lockout.delay_seconds(HERE, 1000.0) == 0.0
    assert len(lockout) == 0


def test_who_is_locked_out_is_listed_until_somebody_unlocks_it() -> None:
    lockout = Lockout(1, 900.0)
    assert lockout.locked_out(0.0) == {}
    fail(lockout, 1, now=100.0)
    assert lockout.locked_out(100.0) == {HERE: 900.0}
    assert lockout.locked_out(999.5) == {HERE: 0.5}
    assert lockout.locked_out(1000.0) == {}
    lockout.forget(THERE)
    assert lockout.locked_out_seconds(HERE, 200.0) == 800.0
    lockout.forget(HERE)
    assert (lockout.locked_out(200.0), len(lockout)) == ({}, 0)


def test_failures_are_forgotten() -> None:
    lockout = Lockout(3, 900.0)
    fail(lockout, 2, now=0.0)
    assert not fail(lockout, 2, now=901.0)
    assert fail(lockout, 1, now=902.0)


def test_the_same_secret_again_is_no_other_failure() -> None:
    lockout = Lockout(3, 900.0)
    for _ in range(20):
        assert not lockout.failed(HERE, "ada", "sesame", 0.0)
    assert lockout.failed_before(HERE, "sesame", 1.0)
    assert not lockout.failed_before(THERE, "sesame", 1.0)
    assert lockout.remaining_failures(HERE, 1.0) == 2
    assert not lockout.failed_before(HERE, "sesame", 900.0)


def test_one_account_does_not_clear_another() -> None:
    lockout = Lockout(10, 900.0)
    fail(lockout, 8, account="victim")
    fail(lockout, 1, account="eve")
    lockout.succeeded(HERE, "eve")
    assert lockout.remaining_failures(HERE, 0.0) == 2
    lockout.succeeded(THERE, "victim")
    assert lockout.remaining_failures(HERE, 0.0) == 2
    lockout.succeeded(HERE, "victim")
    assert lockout.remaining_failures(HERE, 0.0) == 10


def test_a_success_does_not_end_a_shut_out() -> None:
    lockout = Lockout(3, 900.0)
    fail(lockout, 3)
    lockout.succeeded(HERE, "ada")
    assert lockout.locked_out_seconds(HERE, 1.0) == 899.0


def test_a_slowed_address_has_one_attempt_at_a_time() -> None:
    lockout = Lockout(10, 900.0)
    for _ in range(5):
        assert not lockout.is_busy(HERE, 0.0, 6)
        lockout.acquire(HERE)
    assert not lockout.is_busy(HERE, 0.0, 6)
    assert lockout.is_busy(HERE, 0.0, 5)
    fail(lockout, 3)
    for _ in range(5):
        assert lockout.is_busy(HERE, 0.0, 6)
        assert not lockout.is_busy(THERE, 0.0, 6)
        lockout.release(HERE)
    assert not lockout.is_busy(HERE, 0.0, 6)


def test_the_table_is_bounded() -> None:
    lockout = Lockout(10, 900.0, max_addresses=3)
    for number in range(3):
        lockout.failed(f"192.0.2.{number}", "ada", 1, 0.0)
    lockout.failed("192.0.2.0", "ada", 2, 1.0)
    lockout.failed("192.0.2.9", "ada", 1, 2.0)
    assert len(lockout) == 3
    left = [lockout.remaining_failures(f"192.0.2.{number}", 3.0) for number in (0, 1, 2, 9)]
    assert left == [8, 10, 9, 9]


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("::1", "127.0.0.1"),
        ("127.0.0.1", "127.0.0.1"),
        ("local", "local"),
    ],
)
def test_whom_a_failure_counts_for(peer: str, address: str) -> None:
    assert limit_key(peer) == address


def test_a_lockout_outlasts_other_limits() -> None:
    lockout = Lockout(2, 900.0)
    for secret in ("a", "b"):
        lockout.failed("192.0.2.7", "ada", secret, 0.0)
    lockout.failed("192.0.2.8", "ada", "a", 0.0)
    lockout.change(5, 60.0)
    assert lockout.locked_out_seconds("192.0.2.7", 100.0) == 800.0
    assert lockout.remaining_failures("192.0.2.8", 10.0) == 4


def taken_over(lockout: Lockout, another: Lockout) -> None:
    """What one knows reaches another as it does in an upgrade."""
    for update in LoginState.read(LoginState("00", lockout.updates()).octets()).updates:
        another.apply(update)


@pytest.mark.parametrize("account", ["ada", "octets:ada", b"/login"])
def test_another_process_counts_on(account: Hashable) -> None:
    before, after = Lockout(3, 900.0), Lockout(3, 900.0)
    before.failed(HERE, account, b"first", 1.0)
    before.failed(HERE, account, "second", 2.0)
    # It may be told again, after failures of its own.
    after.failed(HERE, account, b"first", 1.5)
    for _ in range(2):
        taken_over(before, after)
        assert after.remaining_failures(HERE, 3.0) == 1
    assert after.failed_before(HERE, "second", 3.0)
    assert after.failed(HERE, account, b"third", 3.0)
    after.succeeded(HERE, account)
    another = Lockout(3, 900.0)
    taken_over(after, another)
    assert another.locked_out_seconds(HERE, 103.0) == 800.0
    without = Lockout(0, 900.0)
    taken_over(after, without)
    assert without.locked_out_seconds(HERE, 103.0) == 0.0


@pytest.mark.parametrize("account", ["ada", "octets:ada", b"/login"])
def test_a_success_reaches_the_process_that_counted_the_failure(account: Hashable) -> None:
    first, second = Lockout(10, 900.0), Lockout(10, 900.0)
    first.failed(HERE, account, b"first", 1.0)
    first.failed(HERE, "eve", b"second", 1.0)
    taken_over(first, second)
    second.succeeded(HERE, account)
    first.apply(json.loads(json.dumps(success_update(HERE, account))))
    for lockout in (first, second):
        assert lockout.remaining_failures(HERE, 2.0) == 9
        assert lockout.failed_before(HERE, b"second", 2.0)


def test_no_more_addresses_are_taken_over_than_are_remembered() -> None:
    before, after = Lockout(1, 900.0), Lockout(1, 900.0, max_addresses=2)
    for number in range(5):
        before.failed(f"192.0.2.{number}", "ada", "secret", float(number))
    taken_over(before, after)
    assert sorted(after.locked_out(5.0)) == ["192.0.2.3", "192.0.2.4"]


def test_a_login_state_of_another_version_is_read() -> None:
    state = LoginState("00ff", [{"address": HERE, "locked_until": 1.5}])
    assert LoginState.read(state.octets()) == state
    later = json.dumps({**json.loads(state.octets()), "sessions": []})
    assert LoginState.read(later.encode()) == state


@pytest.mark.parametrize(
    ("octets", "reason"),
    [
        (b"", "Expecting value"),
        (b"[]", "no login state: TypeError"),
        (b"{}", "no login state: KeyError('digest_key')"),
        (b'{"digest_key": "00"}', "no login state: KeyError('updates')"),
        (b'{"digest_key": "x", "updates": []}', "non-hexadecimal number"),
    ],
)
def test_what_is_no_login_state(octets: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=re.escape(reason)):
        LoginState.read(octets)
