"""Runs checks at intervals, whatever goes wrong in one of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic

from proxy.runtime.log_throttle import LogThrottle

log = logging.getLogger("labgate")

Check = Callable[[], Awaitable[None]]


async def run_periodically(checks: Sequence[Check], interval_seconds: float) -> None:
    """Run every one of ``checks``, wait, and so on until cancelled.

    A check that raises an exception is logged and runs again the next time. The others run all the
    same.
    """
    throttles = {check: LogThrottle() for check in checks}
    while True:
        await asyncio.sleep(interval_seconds)
        for check in checks:
            try:
                await check()
            except Exception:
                if (more := throttles[check].due(monotonic())) is not None:
                    log.exception("a periodic check failed and will run again%s", more)
