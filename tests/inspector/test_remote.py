"""What a worker captures reaches its supervisor's ring, and ends there when the worker does."""

from __future__ import annotations

import json
from typing import Any

from proxy.inspector.exchange import Exchange
from proxy.inspector.filters import parse_filter
from proxy.inspector.remote import CapturedElsewhere
from proxy.inspector.ring import Ring
from tests.inspector.exchanges import exchange


def opened(number: int) -> dict[str, Any]:
    details = exchange(target="/socket", number=number, open=True).details()
    return dict(json.loads(json.dumps(details)))


def shown(ring: Ring, words: str) -> list[Exchange]:
    return [one for one in ring if parse_filter(words)(one)]


def test_what_was_open_ends_with_its_process() -> None:
    ring = Ring()
    told: list[Exchange] = []
    ring.listen(told.append)
    elsewhere = CapturedElsewhere(ring)
    first, other = object(), object()
    for process in (first, other):
        elsewhere.take(process, [opened(1), opened(2)])
    elsewhere.take(first, [opened(1) | {"open": False, "status": 101}])
    told.clear()
    elsewhere.ended(first)
    elsewhere.ended(first)
    (ended,) = told
    assert (ended.number, ended.open, ended.outcome) == (2, False, "its worker process ended")
    assert ended.times.last_octet is not None
    assert [one.number for one in shown(ring, "is:open")] == [3, 4]


def test_a_process_of_later_has_other_exchanges() -> None:
    """It may have the same id, and counts from 1 again."""
    ring = Ring()
    elsewhere = CapturedElsewhere(ring)
    assert elsewhere.take(7, [opened(1)]) == [1]
    elsewhere.ended(7)
    assert elsewhere.take(7, [opened(1)]) == [2]
    assert [one.open for one in ring] == [False, True]


def test_what_had_to_go_is_not_missed() -> None:
    ring = Ring(max_exchanges=1)
    elsewhere = CapturedElsewhere(ring)
    elsewhere.take("a worker", [opened(1), opened(2)])
    elsewhere.ended("a worker")
    assert [(one.number, one.open) for one in ring] == [(2, False)]
