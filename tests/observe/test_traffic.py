"""Requests that wait to be counted are counted at every look, and before they are too many."""

from __future__ import annotations

from proxy.observe.record import Record
from proxy.observe.traffic import MAX_UNCOUNTED_REQUESTS, Traffic
from tests.heads import get


def test_they_do_not_pile_up() -> None:
    traffic = Traffic()
    for _ in range(MAX_UNCOUNTED_REQUESTS + 1):
        traffic(Record(get(), status=200, outcome="forwarded"))
    assert len(traffic._waiting) == 1
    assert traffic.counts.requests == {"forwarded 2xx": MAX_UNCOUNTED_REQUESTS + 1}
    assert traffic._waiting == []


def test_a_response_that_came_before_the_end_of_the_request_has_no_time_of_jupyters() -> None:
    traffic, record = Traffic(), Record(get(), status=413, outcome="forwarded", seconds=1.0)
    record.sent_up_at = record.started_at + 0.5
    traffic.on_head(record)
    traffic(record)
    assert sum(traffic.counts.own.counts) == 1
    assert sum(traffic.counts.jupyter.counts) == 0
