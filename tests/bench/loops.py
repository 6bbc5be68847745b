"""uvloop where it exists, as in labgate itself."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

Result = TypeVar("Result")


def run(work: Coroutine[Any, Any, Result]) -> Result:
    """Run to the end on a new event loop."""
    factory = asyncio.new_event_loop
    with suppress(ImportError):
        import uvloop  # noqa: PLC0415  it does not exist everywhere

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(work)
