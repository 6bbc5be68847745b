"""When a route was last used."""

from __future__ import annotations

import time

import pytest

from proxy.proxying.activity import Activity


@pytest.mark.parametrize(
    ("status", "used"),
    [
        (101, False),
        (200, True),
        (204, True),
        (299, True),
        (300, False),
        (301, False),
        (404, False),
        (503, False),
    ],
)
def test_success_is_use(status: int, used: bool) -> None:
    activity, before = Activity(1.0), time.time()
    activity.on_response(status)
    if used:
        assert activity.at >= before
    else:
        assert activity.at == 1.0


def test_data_is_use() -> None:
    activity, before = Activity(1.0), time.time()
    activity.on_data()
    assert activity.at >= before
