"""Stands between a front and the proxying: hands everything on at once, and notes it.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from collections.abc import Callable

from proxy.inspector.exchange_capture import ExchangeCapture
from proxy.inspector.recorded_tunnel import RecordedConnection
from proxy.messages import RawConnection, RequestBody, Responder
from proxy.rules.head import Field
from proxy.short_response import Response


class RecordedExchange:
    """The proxying's ``RequestBody`` and ``Responder`` while an exchange is recorded.

    Args:
        capture: Gets what passes.
        body: The front's.
        responder: The front's.
    """

    __slots__ = ("_body", "_capture", "_guard", "_responder", "length")

    def __init__(self, capture: ExchangeCapture, body: RequestBody, responder: Responder) -> None:
        self._capture = capture
        self._guard = capture.guard
        self._body = body
        self.length = body.length
        self._responder = responder

    # RequestBody

    def arrived(self) -> bytes | None:
        return self._noted(self._body.arrived())

    def take(self) -> bytes | None:
        return self._noted(self._body.take())

    def when_more(self, callback: Callable[[], None] | None) -> None:
        self._body.when_more(callback)

    def _noted(self, data: bytes | None) -> bytes | None:
        content = self._capture.content_up
        if data and content is not None:
            with self._guard:
                content.feed(data)
        return data

    # Responder

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
            self._capture.head_sent(status, reason, [*fields, *added])
        except Exception as error:
            self._guard.caught(error)
        return added

    def send_body(self, data: bytes) -> None:
        try:
            self._capture.content_sent(data)
        except Exception as error:
            self._guard.caught(error)
        self._responder.send_body(data)

    def flush(self) -> None:
        self._responder.flush()

    def end(self) -> None:
        self._responder.end()

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        client = self._responder.upgrade(reason, fields)
        with self._guard:
            return RecordedConnection(client, self._capture.upgraded(reason, fields))
        return client

    def close(self) -> None:
        self._responder.close()

    def abort(self) -> None:
        self._responder.abort()

    def fail(self, error: Exception, response: Response) -> None:
        self._responder.fail(error, response)
