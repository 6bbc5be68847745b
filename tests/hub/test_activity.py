"""When a route was last used."""

from __future__ import annotations

import time

from proxy.proxying.activity import Activity


def test_success_and_data_are_use() -> None:
    for status, used in (
        (101, False),
        (200, True),
        (204, True),
        (301, False),
        (404, False),
        (503, False),
    ):
        activity = Activity(0.0)
        activity.on_response(status)
        assert (activity.at > 0) is used, status
    activity, before = Activity(0.0), time.time()
    activity.on_data()
    assert activity.at >= before
