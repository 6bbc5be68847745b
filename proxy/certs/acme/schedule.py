"""When a certificate is renewed: decided without a clock, a file or a die of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

LEFT = 1 / 3
"""Without the CA's word a certificate is renewed with this part of its lifetime left. It
suits 90 days and 6 days alike."""

SPREAD = 0.03
"""That moment comes earlier by up to this part of the lifetime, so that certificates made
together are not renewed together."""

LAST_CALL = 1 / 8
"""The CA's word counts up to this part of the lifetime: a mistake of theirs must not let a
certificate expire."""

FIRST_PAUSE = timedelta(minutes=5)
PAUSE_GROWS = 3
LONGEST_PAUSE = timedelta(days=1)
SHORTEST_LONG_PAUSE = timedelta(minutes=10)
"""Failures wait 5, 15, 45, 135 … minutes, at most a day; short-lived certificates at most a
twelfth of their lifetime, but never less than this."""

LONGEST_WISH = timedelta(days=8)
"""How long a CA's Retry-After is believed: Let's Encrypt's longest limit is of a week."""


@dataclass(frozen=True, slots=True)
class Window:
    """When the CA would like a certificate to be renewed (RFC 9773 section 4.2)."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Failures:
    """The attempts that failed since the last that did not.

    Attributes:
        count: How many.
        last: When the last one ended; None without any.
        not_before: What the CA's Retry-After meant; None when it said nothing.
    """

    count: int = 0
    last: datetime | None = None
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The next attempt, and why then."""

    at: datetime
    reason: str


def plan(
    not_before: datetime | None,
    not_after: datetime | None,
    window: Window | None,
    failures: Failures,
    *,
    now: datetime,
    random: float,
) -> Plan:
    """When to ask for the next certificate.

    Args:
        not_before: From when on the present certificate is valid; None without one.
        not_after: When it expires; None without one.
        window: The CA's suggestion for it, if there is one.
        failures: What went wrong since it was issued.
        now: UTC.
        random: In [0, 1); the same for every call about this certificate until the next
            attempt, so that asking again does not move the answer.
    """
    due = _due(not_before, not_after, window, now, random)
    if not failures.count or failures.last is None or failures.last > now:
        # A failure in the future means that the clock was set back: it says nothing.
        return due
    lifetime = None
    if not_before is not None and not_after is not None:
        lifetime = not_after - not_before
    again = failures.last + pause(failures.count, lifetime, random)
    reason = f"after {failures.count} failed attempt{'s' if failures.count > 1 else ''}"
    wished = failures.not_before
    if wished is not None and wished > again:
        again = min(wished, failures.last + LONGEST_WISH)
        reason = "the CA asked to wait until then"
    return Plan(again, reason) if again > due.at else due


def pause(failures: int, lifetime: timedelta | None, random: float) -> timedelta:
    """How long to wait after that many failures in a row, a quarter more or less."""
    longest = LONGEST_PAUSE
    if lifetime is not None:
        longest = min(longest, max(lifetime / 12, SHORTEST_LONG_PAUSE))
    # The exponent is bounded: an outage of years must not overflow.
    waited = FIRST_PAUSE * float(PAUSE_GROWS ** min(failures - 1, 10))
    return min(waited, longest) * (0.75 + random / 2)


def _due(
    not_before: datetime | None,
    not_after: datetime | None,
    window: Window | None,
    now: datetime,
    random: float,
) -> Plan:
    if not_before is None or not_after is None:
        return Plan(now, "there is none for these names from this CA")
    lifetime = not_after - not_before
    if window is not None and window.start <= window.end:
        at = window.start + (window.end - window.start) * random
        if at <= not_after - lifetime * LAST_CALL:
            return Plan(at, "when the CA suggests it")
        return Plan(not_after - lifetime * LAST_CALL, "the CA suggests it too late")
    return Plan(not_after - lifetime * (LEFT + SPREAD * random), "with a third of its life left")
