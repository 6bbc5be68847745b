"""One request that aiohttp's server hands over, and the way its response goes out.

Tested by tests/web/front/test_handler.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from aiohttp import web
from aiohttp.http import StreamWriter

from proxy.http1.request_body import EMPTY_BODY
from proxy.http1.response_writer import ResponseWriter
from proxy.messages import Dispatch, RawConnection, RequestInProgress
from proxy.net.reset import reset
from proxy.rules.head import Field
from proxy.rules.message import NOTHING_FOLLOWS
from proxy.runtime.tasks import spawn
from proxy.short_response import Response
from proxy.web.front.content_receiver import ContentReceiver
from proxy.web.front.head_reader import ReadHead


class SentResponse(web.StreamResponse):
    """A response that the client has been sent already, for aiohttp.

    It must write nothing: a client would take it for the next response, a tunnel for frames.

    Args:
        status: For middlewares and access logs.
        sent_bytes: How much was sent, for access logs.
        persistent: Whether another request may follow on the connection.
    """

    def __init__(self, status: int, sent_bytes: int, *, persistent: bool) -> None:
        super().__init__(status=status)
        self._sent_bytes = sent_bytes
        self._persistent = persistent

    @property
    def prepared(self) -> bool:
        return True

    @property
    def keep_alive(self) -> bool:
        return self._persistent

    @property
    def body_length(self) -> int:
        return self._sent_bytes

    async def prepare(self, request: web.BaseRequest) -> None:
        """The client has the head."""

    async def write_eof(self, data: bytes = b"") -> None:
        """The client has the end."""


class AiohttpResponder(ResponseWriter):
    """Keeps the status, for aiohttp.

    Attributes:
        status: That of the final response, or 101; 0 before either.
    """

    __slots__ = ("status",)

    def __init__(self, request: ServedRequest) -> None:
        super().__init__(request)
        self.status = 0

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
        self.status = status
        return super().send_head(status, reason, fields, sized=sized, dated=dated, close=close)

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        self.status = 101
        return super().upgrade(reason, fields)


class ServedRequest:
    """The connection that the response writer writes to (``response_writer.Connection``).

    The bytes go straight to aiohttp's transport, framed as on labgate's own front. Written by
    ``StreamResponse`` a response would gain fields (Content-Type, Server) and lose the octets of
    its fields that are not UTF-8; there would be no interim responses, and a task would have to be
    woken for each piece.

    Attributes:
        client: The client's address, for the log.
        receiver: Receives the content; None where there is none.
        responder: The client's side for the proxying.
        persistent: Whether another request may follow, once this one is over.
        sent_bytes: What was written for it.

    Args:
        connection: aiohttp's protocol.
        client: The client's address.
        new_tunnel: Creates the tunnel after an upgrade.
    """

    __slots__ = (
        "_connection",
        "_draining",
        "_in_progress",
        "_new_tunnel",
        "_over",
        "_waiter",
        "_writable",
        "client",
        "persistent",
        "receiver",
        "responder",
        "sent_bytes",
    )

    def __init__(
        self,
        connection: web.RequestHandler,
        client: str,
        new_tunnel: Callable[[], RawConnection],
    ) -> None:
        self._connection = connection
        self.client = client
        self._new_tunnel = new_tunnel
        self.receiver: ContentReceiver | None = None
        self.responder = AiohttpResponder(self)
        self._in_progress: RequestInProgress | None = None
        self._over = self.persistent = False
        self._waiter: asyncio.Future[None] | None = None
        self._writable: Callable[[], None] | None = None
        self._draining: asyncio.Task[None] | None = None
        self.sent_bytes = 0

    # For the handler

    def begin(self, dispatch: Dispatch, read: ReadHead) -> None:
        """Have the proxying respond."""
        self.responder.facts = read.facts
        body = EMPTY_BODY if self.receiver is None else self.receiver.body
        under_way = dispatch(read.head, body, self.responder)
        if not self._over:
            self._in_progress = under_way

    def refuse(self, response: Response) -> None:
        """Respond to a malformed request, and close the connection."""
        self.responder.facts = NOTHING_FOLLOWS
        self.responder.refuse(response)

    async def over(self) -> None:
        """Receive the content, and wait for the end of the response or for an upgrade."""
        receiving: asyncio.Task[None] | None = None
        try:
            if not self._over:
                if self.receiver is not None and not self.receiver.body.complete:
                    receiving = spawn(self.receiver.run(), "request content")
                self._waiter = asyncio.get_running_loop().create_future()
                await self._waiter
        finally:
            if receiving is not None:
                # aiohttp itself reads the rest of the content; no second reader is allowed.
                receiving.cancel()
                await asyncio.wait({receiving})
            self.cancel()

    @property
    def sent_response(self) -> SentResponse:
        """The response as aiohttp gets it."""
        return SentResponse(self.responder.status, self.sent_bytes, persistent=self.persistent)

    def cancel(self) -> None:
        """The client has gone; nothing happens when the response is complete."""
        in_progress, self._in_progress = self._in_progress, None
        if self._over:
            return
        if self.receiver is not None:
            self.receiver.body.fail(ConnectionResetError("the client went away"))
        if in_progress is not None:
            in_progress.cancel()
        self._end(persistent=False)

    def look_for_faults(self) -> None:
        """Find the parse error that aiohttp queues behind malformed content.

        The request would otherwise wait for its content until the client leaves. Nothing else can
        be in the queue while content is outstanding.
        """
        if self.receiver is not None and self._connection._messages:
            self.receiver.refuse_unless_received()

    def enforce_timeouts(self, now: float) -> None:
        """Refuse content that is malformed or too slow, and notice a client that has gone."""
        if self._connection.transport is None:
            self.cancel()
        elif self.receiver is not None:
            self.look_for_faults()
            self.receiver.body.check_pace(now, response_begun=self.responder.sent)

    # response_writer.Connection

    @property
    def congested(self) -> bool:
        return self._connection.writing_paused

    @property
    def writable(self) -> Callable[[], None] | None:
        return self._writable

    @writable.setter
    def writable(self, callback: Callable[[], None] | None) -> None:
        self._writable = callback
        if callback is not None and self._draining is None:
            self._draining = spawn(self._drain(), "client drain")

    @property
    def body_outstanding(self) -> bool:
        return self.receiver is not None and self.receiver.body.outstanding

    def write(self, data: bytes) -> None:
        transport = self._connection.transport
        if transport is not None and not transport.is_closing():
            self.sent_bytes += len(data)
            transport.write(data)

    def end_response(self, data: bytes, *, persistent: bool) -> None:
        if data:
            self.write(data)
        self._end(persistent=persistent)

    def linger(self) -> None:
        self._end(persistent=False)

    def upgraded(self) -> RawConnection:
        if self._connection.transport is None:
            raise ConnectionResetError("the client went away")
        self._end(persistent=False)
        return self._new_tunnel()

    def abort(self) -> None:
        if self._connection.transport is not None:
            reset(self._connection.transport)

    async def _drain(self) -> None:
        """Call ``writable`` when congestion ends, which aiohttp only lets a task wait for."""
        with suppress(ConnectionError):
            await StreamWriter(self._connection, asyncio.get_running_loop()).drain()
        self._draining = None
        if self._writable is not None:
            self._writable()

    def _end(self, *, persistent: bool) -> None:
        if self._over:
            return
        self._over, self.persistent = True, persistent
        self._in_progress = None
        if self.receiver is not None:
            # The rest of the request's content is not needed any more.
            self.receiver.body.discard()
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
