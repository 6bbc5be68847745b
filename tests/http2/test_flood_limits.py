from __future__ import annotations

import pytest

from proxy.http2.flood_limits import BUDGETS, UPDATES_PER_FRAME, Flood, FloodLimits, flood_of
from proxy.http2.frame_reader import FrameHeader, FrameType

KINDS = [
    pytest.param(FrameHeader(FrameType.HEADERS, 4, 0), None, id="a request"),
    pytest.param(FrameHeader(FrameType.DATA, 0, 5), None, id="content"),
    pytest.param(FrameHeader(FrameType.DATA, 1, 0), None, id="the end of content"),
    pytest.param(FrameHeader(FrameType.DATA, 0, 0), Flood.EMPTY_DATA, id="no content"),
    pytest.param(FrameHeader(FrameType.DATA, 8, 256), Flood.EMPTY_DATA, id="padding"),
    pytest.param(FrameHeader(FrameType.DATA, 8, 257), None, id="content with padding"),
    pytest.param(FrameHeader(FrameType.PRIORITY, 0, 5), Flood.PRIORITIES, id="PRIORITY"),
    pytest.param(FrameHeader(FrameType.RST_STREAM, 0, 4), Flood.RESETS, id="RST_STREAM"),
    pytest.param(FrameHeader(FrameType.SETTINGS, 0, 0), Flood.SETTINGS, id="SETTINGS"),
    pytest.param(FrameHeader(FrameType.PUSH_PROMISE, 0, 4), None, id="h2 refuses PUSH_PROMISE"),
    pytest.param(FrameHeader(FrameType.PING, 0, 8), Flood.PINGS, id="PING"),
    pytest.param(FrameHeader(FrameType.PING, 1, 8), Flood.PINGS, id="a PING's acknowledgement"),
    pytest.param(FrameHeader(FrameType.GOAWAY, 0, 8), None, id="GOAWAY ends the connection"),
    pytest.param(
        FrameHeader(FrameType.WINDOW_UPDATE, 0, 4), Flood.WINDOW_UPDATES, id="WINDOW_UPDATE"
    ),
    pytest.param(FrameHeader(FrameType.CONTINUATION, 0, 4), Flood.CONTINUATIONS, id="CONTINUATION"),
    pytest.param(FrameHeader(FrameType.PRIORITY_UPDATE, 0, 8), Flood.PRIORITIES, id="RFC 9218"),
    pytest.param(FrameHeader(0xFA, 0, 0), Flood.PRIORITIES, id="unknown"),
]


@pytest.mark.parametrize(("frame", "flood"), KINDS)
def test_what_a_frame_counts_as(frame: FrameHeader, flood: Flood | None) -> None:
    assert flood_of(frame) is flood


@pytest.mark.parametrize("flood", Flood)
def test_a_budget_ends_and_fills_again(flood: Flood) -> None:
    limits, budget = FloodLimits(), BUDGETS[flood]
    burst = int(budget.burst)
    assert all(limits.count(flood, 100.0) for _ in range(burst))
    assert not limits.count(flood, 100.0)
    later = 100.0 + 2.5 / budget.per_second
    assert limits.count(flood, later)
    assert not limits.count(flood, later), "one of the two was used up before"
    much_later = later + 1000 * burst
    assert limits.count(flood, much_later, burst)
    assert not limits.count(flood, much_later), "time fills it up to the burst, and no further"


def test_the_first_frame_beyond_a_budget_is_named() -> None:
    limits = FloodLimits()
    burst = int(BUDGETS[Flood.PINGS].burst)
    settings, ping = FrameHeader(FrameType.SETTINGS, 0, 0), FrameHeader(FrameType.PING, 0, 8)
    assert limits.exceeded_by([settings, *[ping] * burst, settings], 0.0) is None
    assert limits.exceeded_by([settings, ping, ping], 0.0) is Flood.PINGS


def test_what_was_sent_pays_for_window_updates() -> None:
    limits = FloodLimits()
    update = FrameHeader(FrameType.WINDOW_UPDATE, 0, 4)
    burst = int(BUDGETS[Flood.WINDOW_UPDATES].burst)
    assert limits.exceeded_by([update] * burst, 0.0) is None
    for _ in range(10):
        limits.sent(1)
        assert limits.exceeded_by([update] * UPDATES_PER_FRAME, 0.0) is None
    assert limits.exceeded_by([update], 0.0) is Flood.WINDOW_UPDATES


def test_data_that_is_not_reported_belongs_to_closed_streams() -> None:
    limits = FloodLimits()
    data, other = FrameHeader(FrameType.DATA, 0, 5), FrameHeader(FrameType.HEADERS, 4, 5)
    burst = int(BUDGETS[Flood.LATE_DATA].burst)
    assert all(limits.late_data([other, data, data], 2, 0.0) for _ in range(3 * burst))
    # The last one may be incomplete: it is reported together with the next one.
    assert all(
        limits.late_data([data], 0, 0.0) and limits.late_data([data], 2, 0.0)
        for _ in range(3 * burst)
    )
    assert all(limits.late_data([data], 0, 0.0) for _ in range(burst + 1))
    assert not limits.late_data([data], 0, 0.0)
