"""New and changed exchanges as they come, over a WebSocket.

Tested by tests/admin/test_exchanges.py.
"""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import WSMsgType, web

from proxy.inspector.exchange import Exchange
from proxy.inspector.ring import Ring

SECONDS_BETWEEN = 0.1
"""What happens within this time is sent together: a page of Lab is a hundred exchanges."""
MAX_WAITING = 5000


async def live(request: web.Request, ring: Ring) -> web.WebSocketResponse:
    """``GET live``: batches ``{"exchanges": [summary, …]}`` until the client leaves."""
    socket = web.WebSocketResponse(heartbeat=30.0, max_msg_size=1024)
    await socket.prepare(request)
    waiting = WaitingExchanges()
    stop = ring.listen(waiting.note)
    sender = asyncio.ensure_future(_send(socket, waiting))
    try:
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
    finally:
        stop()
        sender.cancel()
        # It may have failed before, because the client had gone.
        await asyncio.gather(sender, return_exceptions=True)
    return socket


class WaitingExchanges:
    """What is not sent yet; of too many, what changed first is left out."""

    def __init__(self) -> None:
        self._exchanges: dict[int, Exchange] = {}
        self._arrived = asyncio.Event()

    def __len__(self) -> int:
        return len(self._exchanges)

    def note(self, exchange: Exchange) -> None:
        """Send it with the next batch."""
        exchanges = self._exchanges
        exchanges.pop(exchange.number, None)
        exchanges[exchange.number] = exchange
        if len(exchanges) > MAX_WAITING:
            # The ring forgets, too, while a page does not read.
            del exchanges[next(iter(exchanges))]
        self._arrived.set()

    async def take(self) -> list[dict[str, Any]]:
        """Wait for the next batch: summaries in the order of their numbers."""
        await self._arrived.wait()
        self._arrived.clear()
        batch = [one.summary() for _, one in sorted(self._exchanges.items())]
        self._exchanges.clear()
        return batch


async def _send(socket: web.WebSocketResponse, waiting: WaitingExchanges) -> None:
    while True:
        await socket.send_json({"exchanges": await waiting.take()})
        await asyncio.sleep(SECONDS_BETWEEN)
        await asyncio.sleep(SECONDS_BETWEEN)
