"""Sends one response over its stream (``messages.Responder``; RFC 9113 section 8).

Fields are in lower case, and none of them speaks of a connection. ``close`` has no meaning: a
request that HTTP/1.1 could read in two ways ends where its stream ends.

Tested by tests/http2/test_server_connection.py.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from hpack import NeverIndexedHeaderTuple

from proxy.http2.request_head import CONNECTION_FIELDS
from proxy.http2.stream import Stream
from proxy.messages import RawConnection, queue_response
from proxy.rules.head import Field
from proxy.runtime.http_date import http_date
from proxy.short_response import Response

log = logging.getLogger("labgate")

_STATUS = b":status"
_SECRET = b"set-cookie"


class StreamResponder:
    """The response of one stream.

    A HEADERS frame is sent at once, because HPACK needs them in order; they are small.

    Args:
        stream: The stream.
        is_head: Whether the method is HEAD, so that the response has no content.
    """

    __slots__ = ("_bodiless", "_head_sent", "_is_head", "_pending", "_stream")

    def __init__(self, stream: Stream, *, is_head: bool) -> None:
        self._stream = stream
        self._is_head = is_head
        self._bodiless = self._head_sent = False
        self._pending: list[Field] = []

    @property
    def congested(self) -> bool:
        return self._stream.congested

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self._stream.writable = callback

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self._stream.send_fields(header_list(status, fields))
        self._stream.flush()

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
        # RFC 9110 section 6.6.1: a recipient with a clock adds a missing Date.
        added: list[Field] = [] if dated else [(b"Date", http_date())]
        self._bodiless = self._is_head or status in (204, 304)
        self._pending = header_list(status, fields + added)
        return added

    def send_body(self, data: bytes) -> None:
        if data and not self._bodiless:
            self._send_pending()
            self._stream.queue(data)

    def flush(self) -> None:
        self._send_pending()
        self._stream.flush()

    def end(self) -> None:
        # What still waits is the head of a response without content.
        self._send_pending(end=True)
        self._stream.end_response()
        self._stream.flush()

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        """No request asks for it: ``request_head`` refuses Upgrade."""
        raise ConnectionResetError("HTTP/2 has no upgrade")

    def close(self) -> None:
        self._stream.reset()

    def abort(self) -> None:
        self._stream.reset()

    def fail(self, error: Exception, response: Response) -> int:
        log.error("fault while answering %s", self._stream.client, exc_info=error)
        if self._head_sent:
            self.abort()
            return 0
        queue_response(self, response)
        self.end()
        return response.status

    def _send_pending(self, *, end: bool = False) -> None:
        if pending := self._pending:
            self._pending, self._head_sent = [], True
            self._stream.send_fields(pending, end=end)


def header_list(status: int, fields: list[Field]) -> list[Field]:
    """The fields of a response as HTTP/2 has them (sections 8.2 and 8.3.2).

    A cookie is not kept in the table of compressed fields: it is a secret, and mostly sent once.
    """
    found: list[Field] = [(_STATUS, b"%d" % status)]
    for name, value in fields:
        name = name.lower()  # noqa: PLW2901  the same name
        if name == _SECRET:
            found.append(NeverIndexedHeaderTuple(name, value))
        elif name not in CONNECTION_FIELDS:
            found.append((name, value))
    return found
