"""A flood gets a line now and then, which says how much it left out."""

from __future__ import annotations

from proxy.runtime.log_throttle import LINE_INTERVAL_SECONDS, LogThrottle


def test_a_line_now_and_then() -> None:
    sparing = LogThrottle()
    assert [sparing.due(now) for now in (100.0, 100.0, 101.0)] == ["", None, None]
    told = "; 2 more since the last such line"
    assert sparing.due(100.0 + LINE_INTERVAL_SECONDS) == told
    assert sparing.due(100.0 + 2 * LINE_INTERVAL_SECONDS) == ""
