"""A front without sockets: one client's request, given to the proxying as messages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proxy.messages import TunnelEnd
from proxy.proxying.dispatcher import Dispatcher
from proxy.rules.head import Arrival, Field, RequestHead
from proxy.short_response import Response

HOST: Field = (b"Host", b"lab.example.org")


class MemoryFront:
    """The request's body, its responder, and its connection after an upgrade.

    Attributes:
        statuses: Of the responses, interim ones too.
        fields: The final one's.
        faults: Those of labgate's, each with the response to send if none has begun.
        content: What the final one contains, or what the tunnel brought.
        ended: How the response ended: ``complete``, ``closed`` or ``aborted``.
    """

    congested = False

    def __init__(
        self,
        *fields: Field,
        method: bytes = b"GET",
        target: bytes = b"/x",
        length: int | None = 0,
    ) -> None:
        self.head = RequestHead(method, target, (1, 1), (HOST, *fields), Arrival("203.0.113.7"))
        self.length = length
        self.statuses: list[int] = []
        self.fields: list[Field] = []
        self.faults: list[tuple[Exception, Response]] = []
        self.content = b""
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.tunnel: asyncio.Future[TunnelEnd] = asyncio.get_running_loop().create_future()
        self.more: Callable[[], None] | None = None
        self._pieces: list[bytes] = []

    def ask(self, dispatcher: Dispatcher) -> None:
        self.leave = dispatcher(self.head, self, self).cancel

    def upload(self, *pieces: bytes) -> None:
        """The client sends; b"" is the end."""
        self._pieces += pieces
        if self.more is not None:
            self.more()

    # RequestBody

    def arrived(self) -> bytes | None:
        return b"" if self.length == 0 else None

    def take(self) -> bytes | None:
        return self._pieces.pop(0) if self._pieces else None

    def when_more(self, callback: Callable[[], None] | None) -> None:
        self.more = callback

    # Responder

    def when_writable(self, callback: Callable[[], None] | None) -> None: ...

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self.statuses.append(status)

    def send_head(self, status: int, reason: bytes, fields: list[Field], **_: bool) -> list[Field]:
        self.statuses.append(status)
        self.fields = fields
        return []

    def send_body(self, data: bytes) -> None:
        self.content += data

    def flush(self) -> None: ...

    def end(self) -> None:
        self.ended.set_result("complete")

    def close(self) -> None:
        self.ended.set_result("closed")

    def abort(self) -> None:
        self.ended.set_result("aborted")

    def fail(self, error: Exception, response: Response) -> int:
        self.faults.append((error, response))
        if not self.ended.done():
            self.ended.set_exception(error)
        return response.status

    def upgrade(self, reason: bytes, fields: list[Field]) -> MemoryFront:
        self.statuses.append(101)
        return self

    # RawConnection

    def start(self, end: TunnelEnd) -> None:
        self.tunnel.set_result(end)

    write = send_body

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...

    def write_eof(self) -> bool:
        return False

    def finish(self) -> None:
        self.close()
