"""A loop that is busy is late."""

from __future__ import annotations

import asyncio
import time

from proxy.observe.loop_lag import INTERVAL_SECONDS, LoopLag

LATE_SECONDS = 0.1


async def test_what_keeps_the_loop_busy_is_measured() -> None:
    lag = LoopLag()
    assert lag.seconds == 0.0
    lag.start()
    first = lag._timer
    time.sleep(INTERVAL_SECONDS + LATE_SECONDS)
    for _ in range(2):  # this task is called before the timer
        await asyncio.sleep(0)
    assert lag.seconds >= LATE_SECONDS
    assert lag._timer is not first, "it goes on"
    lag.stop()
    assert lag._timer is not None
    assert lag._timer.cancelled()
