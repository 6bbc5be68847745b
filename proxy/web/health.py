"""Whether labgate serves (alive), and whether Jupyter answers (ready)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.typedefs import Handler

from proxy.runtime.tasks import spawn

READY_FOR_SECONDS = 1.0


class Readiness:
    """Asks Jupyter once for all who wait, however long that takes, and seldom after that.

    Args:
        ask: Asks Jupyter whether it answers.
        ready_for_seconds: How long its answer counts.
    """

    def __init__(
        self, ask: Callable[[], Awaitable[bool]], ready_for_seconds: float = READY_FOR_SECONDS
    ) -> None:
        self._ask = ask
        self._ready_for = ready_for_seconds
        self._asking: asyncio.Task[bool] | None = None
        self._answered_at = float("-inf")
        self._ready = False

    async def __call__(self) -> bool:
        """Whether Jupyter answers, as known for less than ``ready_for_seconds``."""
        if self._asking is None:
            if asyncio.get_running_loop().time() - self._answered_at <= self._ready_for:
                return self._ready
            self._asking = spawn(self._ask_now(), "jupyter: is it ready")
        # The first client may leave before the others have their answer.
        return await asyncio.shield(self._asking)

    async def _ask_now(self) -> bool:
        try:
            self._ready = await self._ask()
            self._answered_at = asyncio.get_running_loop().time()
            return self._ready
        finally:
            self._asking = None


async def health(_request: web.Request) -> web.Response:
    """``GET /.labgate/health``: 200 as long as this process serves."""
    return web.Response(text="serving\n")


def ready(readiness: Readiness) -> Handler:
    """``GET /.labgate/ready``: 200 when Jupyter answers, 503 while it does not."""

    async def answer(_request: web.Request) -> web.Response:
        if await readiness():
            return web.Response(text="ready\n")
        return web.Response(status=503, text="not ready\n")

    return answer
