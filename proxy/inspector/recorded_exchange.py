"""Stands between a front and the proxying: hands everything on at once, and notes it.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.inspector.exchange_capture import CaptureContext, ExchangeCapture
from proxy.inspector.guard import Guard
from proxy.inspector.recorded_content import ContentRecorder
from proxy.inspector.recorded_tunnel import RecordedConnection
from proxy.messages import RawConnection, RequestBody, Responder
from proxy.observe.record import Record
from proxy.rules.head import Field
from proxy.rules.site import Site
from proxy.short_response import Response


class RecordedBody:
    """The proxying's ``RequestBody`` while content is recorded.

    Args:
        body: The front's.
        content: Gets a copy.
        guard: What is recorded is recorded in it.
    """

    __slots__ = ("_body", "_content", "_guard", "length")

    def __init__(self, body: RequestBody, content: ContentRecorder, guard: Guard) -> None:
        self._body = body
        self._content = content
        self._guard = guard
        self.length = body.length

    def arrived(self) -> bytes | None:
        return self._noted(self._body.arrived())

    def take(self) -> bytes | None:
        return self._noted(self._body.take())

    def when_more(self, callback: Callable[[], None] | None) -> None:
        self._body.when_more(callback)

    def _noted(self, data: bytes | None) -> bytes | None:
        if data:
            with self._guard:
                self._content.feed(data)
        return data


class RecordedResponder(ExchangeCapture):
    """The proxying's ``Responder`` while an exchange is recorded, and what is captured of it.

    One object, because each request needs it.

    Args:
        context: Gets the exchange.
        record: What the proxying notes.
        site: What the rules decide by.
        responder: The front's.
    """

    def __init__(
        self, context: CaptureContext, record: Record, site: Site, responder: Responder
    ) -> None:
        super().__init__(context, record, site)
        self._responder = responder

    @property
    def congested(self) -> bool:
        return self._responder.congested

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self._responder.when_writable(callback)

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self._responder.send_interim(status, reason, fields)

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
        added = self._responder.send_head(
            status, reason, fields, sized=sized, dated=dated, close=close
        )
        try:
            self.head_sent(status, reason, [*fields, *added] if added else fields)
        except Exception as error:
            self._context.guard.caught(error)
        return added

    def send_body(self, data: bytes) -> None:
        try:
            self.content_sent(data)
        except Exception as error:
            self._context.guard.caught(error)
        self._responder.send_body(data)

    def flush(self) -> None:
        self._responder.flush()

    def end(self) -> None:
        self._responder.end()

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        client = self._responder.upgrade(reason, fields)
        with self._context.guard:
            return RecordedConnection(client, self.upgraded(reason, fields))
        return client

    def close(self) -> None:
        self._responder.close()

    def abort(self) -> None:
        self._responder.abort()

    def fail(self, error: Exception, response: Response) -> None:
        self._responder.fail(error, response)
