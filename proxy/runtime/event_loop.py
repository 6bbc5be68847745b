"""Chooses the event loop.

Tested by tests/e2e/test_without_uvloop.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress


def loop_factory() -> Callable[[], asyncio.AbstractEventLoop]:
    """For ``asyncio.Runner``: uvloop where it is installed, asyncio's own loop elsewhere."""
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415  it does not exist everywhere

        return uvloop.new_event_loop
    return asyncio.new_event_loop
