"""Counts requests by outcome and status.

Tested by tests/web/test_metrics.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from proxy.observe.record import Record

Gauges = Mapping[str, tuple[str, Callable[[], int]]]
"""Each metric's name, with its description and a function that returns the current value."""

OUTCOMES = frozenset({"forwarded", "tunnelled", "redirected", "answered here"})


class Traffic:
    """Counts requests (an ``Observer``).

    Attributes:
        requests: By outcome (``forwarded``, ``tunnelled``, ``redirected``, ``answered here``,
            ``refused``, ``failed``) and first digit of the status (``0``: no answer).
    """

    def __init__(self) -> None:
        self.requests: Counter[tuple[str, str]] = Counter()

    def __call__(self, record: Record) -> None:
        outcome = record.outcome
        if outcome not in OUTCOMES:
            # Other outcomes name rules and errors; a metric must have few labels.
            outcome = "refused" if outcome.startswith("refused") else "failed"
        self.requests[outcome, str(record.status // 100)] += 1
