"""New and changed exchanges as they come, and the inspector's state, over a WebSocket.

Tested by tests/admin/test_exchanges.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from proxy.inspector.exchange import Exchange
from proxy.inspector.inspector import Inspector
from proxy.inspector.recorder import CaptureOptions

SECONDS_BETWEEN = 0.1
"""Changes within this time are sent in one message: a page of Lab makes a hundred exchanges."""
MAX_QUEUED_EXCHANGES = 5000


async def live(
    request: web.Request, inspector: Inspector, state: Callable[[], dict[str, Any]]
) -> web.WebSocketResponse:
    """``GET live``: messages ``{"exchanges": [summary, …]}`` until the client leaves.

    The first message has ``state``, and each after that has changed, as when somebody else
    switches the capture off. With ``?capture=heads`` or ``?capture=content`` it is on as long as
    the client is there.
    """
    socket = web.WebSocketResponse(heartbeat=30.0, max_msg_size=1024)
    await socket.prepare(request)
    waiting = WaitingExchanges()
    ends = [inspector.ring.listen(waiting.note)]
    if (wanted := request.query.get("capture")) is not None:
        ends.append(inspector.want(CaptureOptions(content=wanted == "content")))
    ends.append(inspector.listen(waiting.note_state))
    waiting.note_state()
    sender = asyncio.ensure_future(_send(socket, inspector, waiting, state))
    try:
        async for message in socket:
            if message.type is WSMsgType.ERROR:
                break
    finally:
        for end in reversed(ends):
            end()
        sender.cancel()
        # It may have failed before, because the client had gone.
        await asyncio.gather(sender, return_exceptions=True)
    return socket


class WaitingExchanges:
    """The exchanges not sent yet; beyond the limit the one that changed first is dropped."""

    def __init__(self) -> None:
        self._exchanges: dict[int, Exchange] = {}
        self._arrived = asyncio.Event()
        self._state_changed = False

    def __len__(self) -> int:
        return len(self._exchanges)

    def note(self, exchange: Exchange) -> None:
        """Send it with the next batch."""
        exchanges = self._exchanges
        exchanges.pop(exchange.number, None)
        exchanges[exchange.number] = exchange
        if len(exchanges) > MAX_QUEUED_EXCHANGES:
            # The ring discards old exchanges, too, while a page does not read.
            del exchanges[next(iter(exchanges))]
        self._arrived.set()

    def note_state(self) -> None:
        """Send the inspector's state with the next batch."""
        self._state_changed = True
        self._arrived.set()

    async def take(self) -> tuple[list[dict[str, Any]], bool]:
        """Wait for the next batch: summaries in the order of their numbers.

        Returns:
            The batch, and whether the inspector's state has changed.
        """
        await self._arrived.wait()
        self._arrived.clear()
        batch = [one.summary() for _, one in sorted(self._exchanges.items())]
        changed, self._state_changed = self._state_changed, False
        self._exchanges.clear()
        return batch, changed


async def _send(
    socket: web.WebSocketResponse,
    inspector: Inspector,
    waiting: WaitingExchanges,
    state: Callable[[], dict[str, Any]],
) -> None:
    # Whoever has read the first message may ask for something, and expects to see it.
    await inspector.in_force()
    while True:
        batch, state_changed = await waiting.take()
        message: dict[str, Any] = {"exchanges": batch}
        if state_changed:
            message["state"] = state()
        await socket.send_json(message)
        await asyncio.sleep(SECONDS_BETWEEN)
