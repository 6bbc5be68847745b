"""Keeps the service manager informed: the state in words, and that the event loop turns.

Tested by tests/deployment/test_service.py and tests/service/test_service_manager.py.
"""

from __future__ import annotations

import asyncio
import faulthandler
import os
from collections.abc import Awaitable, Callable, Mapping

from proxy.runtime.periodic import run_periodically
from proxy.runtime.sd_notify import sd_notify
from proxy.runtime.tasks import spawn
from proxy.service.state_text import state_text
from proxy.service.status import Status

STATE_SECONDS = 2.0
PARTS_OF_THE_WATCHDOG = 3
"""Watchdog messages within its time; systemd advises two at least."""
STANDARD_ERROR = 2


async def keep_informed(
    status: Callable[[], Awaitable[Status]], state_seconds: float = STATE_SECONDS
) -> None:
    """Send the state whenever it changes, and feed the watchdog, until cancelled.

    Both run on the event loop that serves: when that does not turn, the watchdog is not fed.
    """
    feeding = spawn(feed_watchdog(watchdog_seconds()), "watchdog")
    try:
        await _send_states(status, state_seconds)
    finally:
        feeding.cancel()


async def feed_watchdog(seconds: float) -> None:
    """Tell every third of the time that the event loop turns; nothing if there is no watchdog.

    The signal that ends a labgate which does not tell (SIGABRT) prints what every thread does.
    """
    if not seconds:
        return
    faulthandler.enable(STANDARD_ERROR)
    while True:
        sd_notify("WATCHDOG=1")
        await asyncio.sleep(seconds / PARTS_OF_THE_WATCHDOG)


def watchdog_seconds(environment: Mapping[str, str] = os.environ) -> float:
    """The time within which the watchdog wants to hear of this process; 0 for none.

    See sd_watchdog_enabled(3). WATCHDOG_PID is not compared: after an upgrade the next process
    has inherited that of the one before.
    """
    usec = environment.get("WATCHDOG_USEC", "")
    return int(usec) / 1_000_000 if usec.isdecimal() else 0.0


async def _send_states(status: Callable[[], Awaitable[Status]], state_seconds: float) -> None:
    sent = ""

    async def send() -> None:
        nonlocal sent
        text = state_text(await status())
        if text != sent:
            sd_notify(f"STATUS={text}")
            sent = text

    await run_periodically([send], state_seconds)
