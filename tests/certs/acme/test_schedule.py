"""When a certificate is renewed: the schedule's table."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import proxy.certs.acme.schedule
from proxy.certs.acme.schedule import (
    FIRST_RETRY_DELAY,
    MAX_RETRY_DELAY,
    RENEW_AT_LATEST_FRACTION,
    FailedAttempts,
    RenewalWindow,
    next_renewal,
    retry_delay,
)

DAY = timedelta(days=1)
MINUTE = timedelta(minutes=1)
START = datetime(2026, 1, 1, tzinfo=UTC)
NONE = FailedAttempts()


def window(start_days: float, end_days: float) -> RenewalWindow:
    return RenewalWindow(START + start_days * DAY, START + end_days * DAY)


@pytest.mark.parametrize(
    ("lifetime_days", "suggested", "random", "expected_days", "reason"),
    [
        (90, None, 0.0, 60.0, "third"),
        (90, None, 0.5, 60 - 0.5 * 0.03 * 90, "third"),
        (6, None, 0.0, 4.0, "third"),
        (1 / 24, None, 0.0, 2 / 72, "third"),
        (90, window(58, 60), 0.0, 58.0, "suggests"),
        (90, window(58, 60), 0.5, 59.0, "suggests"),
        (90, window(-2, -1), 0.5, -1.5, "suggests"),  # revoked soon: at once
        (90, window(3, 3), 0.9, 3.0, "suggests"),
        (90, window(88, 89), 0.5, 90 * (1 - RENEW_AT_LATEST_FRACTION), "too late"),
        (90, window(200, 300), 0.0, 90 * (1 - RENEW_AT_LATEST_FRACTION), "too late"),
        (90, window(60, 58), 0.0, 60.0, "third"),  # a window that ends before it starts is none
    ],
)
def test_without_failures(
    lifetime_days: float,
    suggested: RenewalWindow | None,
    random: float,
    expected_days: float,
    reason: str,
) -> None:
    end = START + lifetime_days * DAY
    planned = next_renewal(START, end, suggested, NONE, now=START, random=random)
    assert abs(planned.at - (START + expected_days * DAY)) < timedelta(seconds=1)
    assert reason in planned.reason


def test_without_a_certificate_at_once() -> None:
    planned = next_renewal(None, None, None, NONE, now=START, random=0.3)
    assert (planned.at, planned.reason) == (START, "there is none for these names from this CA")


@pytest.mark.parametrize(
    ("failures", "minutes"),
    [(1, 5), (2, 15), (3, 45), (4, 135), (5, 405), (6, 1215), (7, 1440), (50, 1440), (10**6, 1440)],
)
def test_failures_back_off(failures: int, minutes: int) -> None:
    failed = FailedAttempts(failures, START)
    for random, share in ((0.0, 0.75), (0.5, 1.0), (0.999, 1.2495)):
        planned = next_renewal(None, None, None, failed, now=START, random=random)
        assert abs(planned.at - (START + minutes * share * MINUTE)) < timedelta(seconds=1)
        assert f"after {failures} failed attempt" in planned.reason


def test_a_short_lived_certificate_is_not_waited_out() -> None:
    assert retry_delay(20, 6 * DAY, 0.5) == DAY / 2
    assert retry_delay(20, timedelta(hours=1), 0.5) == timedelta(minutes=10)
    assert retry_delay(20, 90 * DAY, 0.5) == DAY


def test_what_is_not_due_does_not_become_due_by_a_failure() -> None:
    """`labgate cert renew --force` failed long before the time."""
    failed = FailedAttempts(1, START + DAY)
    planned = next_renewal(START, START + 90 * DAY, None, failed, now=START + 2 * DAY, random=0.0)
    assert planned.at == START + 60 * DAY


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (timedelta(hours=3), timedelta(hours=3)),
        (timedelta(seconds=1), 0.75 * FIRST_RETRY_DELAY),  # ours is longer
        (timedelta(days=4000), timedelta(days=8)),
    ],
)
def test_retry_after(asked: timedelta, expected: timedelta) -> None:
    planned = next_renewal(
        None, None, None, FailedAttempts(1, START, START + asked), now=START, random=0.0
    )
    assert planned.at == START + expected


def test_a_clock_set_back_is_no_reason_to_wait() -> None:
    failed = FailedAttempts(9, START + 400 * DAY)
    assert next_renewal(None, None, None, failed, now=START, random=0.0).at == START


RANDOM = st.floats(0, 1, exclude_max=True)


@given(
    lifetime=st.timedeltas(timedelta(minutes=1), timedelta(days=4000)),
    start=st.timedeltas(timedelta(days=-4000), timedelta(days=4000)),
    length=st.timedeltas(timedelta(0), timedelta(days=4000)),
    random=RANDOM,
)
def test_no_suggestion_lets_it_expire(
    lifetime: timedelta, start: timedelta, length: timedelta, random: float
) -> None:
    suggested = RenewalWindow(START + start, START + start + length)
    planned = next_renewal(START, START + lifetime, suggested, NONE, now=START, random=random)
    assert planned.at <= START + lifetime * (1 - RENEW_AT_LATEST_FRACTION) + timedelta(seconds=1)


@given(failures=st.integers(1, 10**9), random=RANDOM)
def test_never_hammers_and_never_gives_up(failures: int, random: float) -> None:
    waited = retry_delay(failures, None, random)
    assert 0.75 * FIRST_RETRY_DELAY <= waited <= 1.25 * MAX_RETRY_DELAY


def test_it_does_no_io() -> None:
    """No clock, no die, no file: they are arguments."""
    tree = ast.parse(Path(proxy.certs.acme.schedule.__file__).read_text())
    imported = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert imported == {"__future__", "dataclasses", "datetime"}
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Import)]
    calls = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    assert "now" not in calls
