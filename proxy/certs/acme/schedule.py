"""When to renew a certificate: decided without a clock, a file or randomness of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

RENEW_AT_FRACTION = 1 / 3
"""Without the CA's suggestion, renew with this part of the lifetime left: it suits certificates
of 90 days and of 6 days."""

JITTER_FRACTION = 0.03
"""Renew earlier by up to this part of the lifetime, so that certificates issued together are not
renewed together."""

RENEW_AT_LATEST_FRACTION = 1 / 8
"""With this part of the lifetime left, renew even if the CA suggests a later time: a mistake of
the CA must not let the certificate expire."""

FIRST_RETRY_DELAY = timedelta(minutes=5)
RETRY_DELAY_FACTOR = 3
MAX_RETRY_DELAY = timedelta(days=1)
SHORT_LIVED_MAX_RETRY_DELAY = timedelta(minutes=10)
"""Failures are retried after 5, 15, 45, 135 … minutes, at most a day; those of a certificate after
at most a twelfth of its lifetime, but this limit is never below 10 minutes."""

MAX_RETRY_AFTER = timedelta(days=8)
"""The longest Retry-After that is obeyed: Let's Encrypt's longest rate limit is a week."""


@dataclass(frozen=True, slots=True)
class RenewalWindow:
    """When the CA suggests to renew a certificate (RFC 9773 section 4.2)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class FailedAttempts:
    """The attempts that failed since the last success.

    Attributes:
        count: How many.
        last: When the last one failed; None without any.
        not_before: The earliest next attempt, from the CA's Retry-After; None without one.
    """

    count: int = 0
    last: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class ScheduledRenewal:
    """When the next attempt is due, and why then."""

    at: datetime
    reason: str


def next_renewal(
    not_before: datetime | None,
    not_after: datetime | None,
    window: RenewalWindow | None,
    failures: FailedAttempts,
    *,
    now: datetime,
    random: float,
) -> ScheduledRenewal:
    """When to ask the CA for the next certificate.

    Args:
        not_before: When the present certificate became valid; None without one.
        not_after: When it expires; None without one.
        window: When the CA suggests to renew it, if it does.
        failures: Since it was issued.
        now: UTC.
        random: In [0, 1); the same for every call until the next attempt, so that the answer
            does not move.
    """
    due = _without_failures(not_before, not_after, window, now, random)
    if not failures.count or failures.last is None or failures.last > now:
        # A failure in the future: the clock was set back since, so its time means nothing.
        return due
    lifetime = None
    if not_before is not None and not_after is not None:
        lifetime = not_after - not_before
    retry_at = failures.last + retry_delay(failures.count, lifetime, random)
    reason = f"after {failures.count} failed attempt{'s' if failures.count > 1 else ''}"
    if failures.not_before is not None and failures.not_before > retry_at:
        retry_at = min(failures.not_before, failures.last + MAX_RETRY_AFTER)
        reason = "the CA asked to wait until then"
    return ScheduledRenewal(retry_at, reason) if retry_at > due.at else due


def retry_delay(failures: int, lifetime: timedelta | None, random: float) -> timedelta:
    """How long to wait after that many failures in a row, give or take a quarter."""
    longest = MAX_RETRY_DELAY
    if lifetime is not None:
        longest = min(longest, max(lifetime / 12, SHORT_LIVED_MAX_RETRY_DELAY))
    # The exponent is limited: after years of failures it would overflow.
    delay = FIRST_RETRY_DELAY * float(RETRY_DELAY_FACTOR ** min(failures - 1, 10))
    return min(delay, longest) * (0.75 + random / 2)


def _without_failures(
    not_before: datetime | None,
    not_after: datetime | None,
    window: RenewalWindow | None,
    now: datetime,
    random: float,
) -> ScheduledRenewal:
    """When the certificate would be renewed if no attempt had failed."""
    if not_before is None or not_after is None:
        return ScheduledRenewal(now, "there is none for these names from this CA")
    lifetime = not_after - not_before
    if window is not None and window.start <= window.end:
        at = window.start + (window.end - window.start) * random
        if at <= not_after - lifetime * RENEW_AT_LATEST_FRACTION:
            return ScheduledRenewal(at, "when the CA suggests it")
        return ScheduledRenewal(
            not_after - lifetime * RENEW_AT_LATEST_FRACTION, "the CA suggests it too late"
        )
    return ScheduledRenewal(
        not_after - lifetime * (RENEW_AT_FRACTION + JITTER_FRACTION * random),
        "with a third of its life left",
    )
