"""A front without a client: one request that labgate sends to itself (``proxy.messages``).

Tested by tests/admin/test_replay.py and tests/workers/test_replays.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.inspector.ring import Ring
from proxy.messages import Dispatch, RawConnection, TunnelEnd
from proxy.rules.head import Field, RequestHead
from proxy.short_response import Response

REPLAY_SECONDS = 30.0


async def send_through_rules(
    dispatch: Dispatch, ring: Ring, head: RequestHead, content: bytes
) -> int:
    """Send a request as if a client had, and wait for its response.

    Args:
        dispatch: Takes it.
        ring: Gets the exchange, because the inspector is on.
        head: The request.
        content: Its content.

    Returns:
        The exchange's number in ``ring``.
    """
    front = ReplayFront(content)
    begun = dispatch(head, front, front)
    number = ring.last_number
    try:
        await asyncio.wait_for(front.wait(), REPLAY_SECONDS)
    except TimeoutError:
        begun.cancel()
    return number


class ReplayFront:
    """The request's body, and a responder that counts the response and throws it away.

    The recorder, which stands between, keeps what is to be seen of it.

    Args:
        content: The request's content.
    """

    congested = False

    def __init__(self, content: bytes) -> None:
        self.length: int | None = len(content)
        self._content = content
        self._ended = asyncio.get_running_loop().create_future()

    async def wait(self) -> None:
        """Wait for the end of the response."""
        await self._ended

    # RequestBody

    def arrived(self) -> bytes | None:
        content, self._content = self._content, b""
        return content

    def take(self) -> bytes | None:
        return self.arrived()

    def when_more(self, callback: Callable[[], None] | None) -> None:
        """Everything is here from the beginning."""

    # Responder

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        """Nothing is ever congested."""

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        """Nobody waits for it."""

    def send_head(
        self,
        status: int,
        reason: bytes,
        fields: list[Field],
        *,
        sized: bool,
        dated: bool,
        close: bool = False,
    ) -> list[Field]:
        return []

    def send_body(self, data: bytes) -> None:
        """It was recorded."""

    def flush(self) -> None:
        """Nothing is queued."""

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        return _NoConnection(self)

    def end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def close(self) -> None:
        self.end()

    def abort(self) -> None:
        self.end()

    def fail(self, error: Exception, response: Response) -> int:
        self.end()
        return response.status


class _NoConnection:
    """The end of a WebSocket that nobody uses: the handshake was what mattered."""

    def __init__(self, front: ReplayFront) -> None:
        self._front = front

    def start(self, end: TunnelEnd) -> None:
        asyncio.get_running_loop().call_soon(end.client_lost, None)
        self._front.end()

    def write(self, data: bytes) -> None:
        """Nobody reads it."""

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def write_eof(self) -> bool:
        return False

    def finish(self) -> None:
        self._front.end()

    def abort(self) -> None:
        self._front.end()
