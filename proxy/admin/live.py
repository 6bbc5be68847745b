"""New and changed exchanges as they come, over a WebSocket.

Tested by tests/admin/test_exchanges.py.
"""

from __future__ import annotations

import asyncio

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
    waiting: dict[int, Exchange] = {}
    arrived = asyncio.Event()

    def note(exchange: Exchange) -> None:
        waiting[exchange.number] = exchange
        arrived.set()

    stop = ring.listen(note)
    sender = asyncio.ensure_future(_send(socket, waiting, arrived))
    try:
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
    finally:
        stop()
        sender.cancel()
    return socket


async def _send(
    socket: web.WebSocketResponse, waiting: dict[int, Exchange], arrived: asyncio.Event
) -> None:
    while True:
        await arrived.wait()
        arrived.clear()
        batch = [waiting[number].summary() for number in sorted(waiting)[-MAX_WAITING:]]
        waiting.clear()
        await socket.send_json({"exchanges": batch})
        await asyncio.sleep(SECONDS_BETWEEN)
