"""Histograms, and sums over processes that come as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from proxy.observe.measurements import (
    BUCKETS_SECONDS,
    Counts,
    Histogram,
    Now,
    all_of,
    sum_of,
)

TIMES = st.lists(
    st.one_of(st.floats(0, 100), st.sampled_from(BUCKETS_SECONDS)),
)


@given(TIMES, TIMES)
def test_a_time_is_in_every_bucket_from_its_bound_on(first: list[float], last: list[float]) -> None:
    histogram = Histogram()
    histogram.add(list(first))
    histogram.add(list(last))
    buckets = dict(histogram.cumulative())
    for bound in BUCKETS_SECONDS:
        assert buckets[repr(bound)] == sum(time <= bound for time in first + last)
    assert buckets["+Inf"] == len(first + last)


def counted(number: int) -> Counts:
    counts = Counts(
        {"forwarded 2xx": number, f"failed {number}xx": 1},
        {"origin": number},
        bytes_up=number,
        bytes_down=2 * number,
        lockouts=number,
    )
    counts.whole.add([0.001 * number])
    counts.own.add([0.0001])
    counts.jupyter.add([99.0])
    return counts


def test_the_counts_of_processes_are_added_up() -> None:
    sent = [Counts.of(json.loads(json.dumps(asdict(counted(number))))) for number in (1, 2)]
    assert sent == [counted(1), counted(2)]
    total = sum_of(sent)
    assert total.requests == {"forwarded 2xx": 3, "failed 1xx": 1, "failed 2xx": 1}
    assert total.refusals == {"origin": 3}
    assert (total.bytes_up, total.bytes_down, total.lockouts) == (3, 6, 3)
    assert dict(total.whole.cumulative())["+Inf"] == 2
    assert total.jupyter.counts[-1] == 2
    assert sent == [counted(1), counted(2)], "they are left as they are"


def test_the_worst_delay_counts_and_a_lockout_only_once() -> None:
    one = Now(1, 2, 3, 4, 5, 6, 7, 0.25)
    assert all_of([one, one]) == Now(2, 4, 6, 8, 10, 6, 14, 0.25)
    assert all_of([]) == Now()
