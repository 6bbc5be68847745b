"""Counts requests and measures their times, in batches: each costs half a microsecond."""

from __future__ import annotations

from collections import Counter
from time import monotonic
from typing import NamedTuple

from proxy.observe.measurements import Counts
from proxy.observe.record import Record

MAX_UNCOUNTED_REQUESTS = 2048

OUTCOMES = frozenset({"forwarded", "tunnelled", "redirected", "answered here", "cached"})
REFUSED = "refused ("


class _Finished(NamedTuple):
    """One finished request; the times are in seconds, and negative where there is none."""

    outcome: str
    status: int
    bytes_up: int
    bytes_down: int
    whole: float
    own: float
    jupyter: float


class Traffic:
    """Counts requests: an ``Observer`` of their ends, with another one of their heads."""

    def __init__(self) -> None:
        self._counts = Counts()
        self._waiting: list[_Finished] = []

    def on_head(self, record: Record) -> None:
        """The response begins."""
        record.answered_at = monotonic()

    def __call__(self, record: Record) -> None:
        sent_up_at, ended_at = record.sent_up_at, record.request_ended_at
        self._waiting.append(
            _Finished(
                record.outcome,
                record.status,
                record.bytes_up,
                record.bytes_down,
                record.seconds,
                sent_up_at - record.started_at if sent_up_at else record.seconds,
                record.answered_at - ended_at if ended_at else -1.0,
            )
        )
        if len(self._waiting) >= MAX_UNCOUNTED_REQUESTS:
            self._count_waiting()

    @property
    def counts(self) -> Counts:
        """Everything up to now."""
        self._count_waiting()
        return self._counts

    def _count_waiting(self) -> None:
        finished, self._waiting = self._waiting, []
        counts = self._counts
        for one in finished:
            counts.bytes_up += one.bytes_up
            counts.bytes_down += one.bytes_down
        for (outcome, status), number in Counter(one[:2] for one in finished).items():
            name = f"{_kind(outcome)} {status // 100}xx"
            counts.requests[name] = counts.requests.get(name, 0) + number
            if outcome.startswith(REFUSED):
                rule = outcome.removeprefix(REFUSED).removesuffix(")")
                counts.refusals[rule] = counts.refusals.get(rule, 0) + number
        # An open WebSocket is no request that takes long.
        timed = [one for one in finished if one.outcome != "tunnelled"]
        counts.whole.add([one.whole for one in timed])
        counts.own.add([one.own for one in timed])
        counts.jupyter.add([one.jupyter for one in timed if one.jupyter >= 0.0])


def _kind(outcome: str) -> str:
    """One of a few fixed words, because a metric must have few label values."""
    if outcome in OUTCOMES:
        return outcome
    return "refused" if outcome.startswith(REFUSED) else "failed"
