"""Stands between a front and the proxying: hands everything on at once, and notes it.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from proxy.inspector.exchange_capture import ExchangeCapture
from proxy.inspector.guard import Guard
from proxy.inspector.recorded_content import ContentRecorder
from proxy.inspector.recorded_tunnel import RecordedConnection
from proxy.messages import RawConnection, RequestBody, Responder
from proxy.observe.record import Record
from proxy.rules.head import Field
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


@dataclass(slots=True, eq=False)
class RecordedResponder(ExchangeCapture):
    """What is captured of one exchange, and the proxying's ``Responder`` while it is watched.

    Attributes:
        watching: Always true: it sees the response's head and content pass.
        watched: Whether the proxying sends to it.
        responder: The front's; there is none before it is watched.
    """

    watching: bool = field(default=True, init=False)
    watched: bool = field(default=False, init=False)
    responder: Responder = field(init=False)

    def watch(self, record: Record, responder: Responder) -> Responder:
        if not self.watched:
            self.watched, self.responder = True, responder
        return self

    @property
    def congested(self) -> bool:
        return self.responder.congested

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self.responder.when_writable(callback)

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self.responder.send_interim(status, reason, fields)

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
        added = self.responder.send_head(
            status, reason, fields, sized=sized, dated=dated, close=close
        )
        with self.context.guard:
            self.head_sent((status, reason, (*fields, *added)))
        return added

    def send_body(self, data: bytes) -> None:
        with self.context.guard:
            self.content_sent(data)
        self.responder.send_body(data)

    def flush(self) -> None:
        self.responder.flush()

    def end(self) -> None:
        self.responder.end()

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        client = self.responder.upgrade(reason, fields)
        with self.context.guard:
            return RecordedConnection(client, self.upgraded(reason, fields))
        return client

    def close(self) -> None:
        self.responder.close()

    def abort(self) -> None:
        self.responder.abort()

    def fail(self, error: Exception, response: Response) -> int:
        return self.responder.fail(error, response)
