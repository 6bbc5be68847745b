"""Frames responses for one client's connection (RFC 9112 sections 6, 7 and 9); no I/O here.

How the client sees the end of the content (Content-Length, chunked coding, or the end of the
connection), whether another request may follow, and what an HTTP/1.0 client can be sent.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from proxy.messages import RawConnection, queue_response
from proxy.rules.head import Field
from proxy.rules.message import NOTHING_FOLLOWS
from proxy.runtime.http_date import http_date
from proxy.short_response import Response

log = logging.getLogger("labgate")


class Connection(Protocol):
    """The connection that the responses are written to.

    Attributes:
        client: The client's address, for the log.
        writable: Called each time congestion ends.
    """

    client: str
    writable: Callable[[], None] | None

    @property
    def congested(self) -> bool:
        """Whether the client reads more slowly than we write."""

    @property
    def body_outstanding(self) -> bool:
        """Whether content of the current request has not arrived yet."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the client; never waits."""

    def upgraded(self) -> RawConnection:
        """The same connection after a 101, which has been written."""

    def abort(self) -> None:
        """Close at once, so that the client sees a truncation and not an end."""

    def end_response(self, data: bytes, *, persistent: bool) -> None:
        """Queue the last bytes of a response; ``persistent`` when another request may follow."""

    def linger(self) -> None:
        """Close so that a client that still sends can read the response."""


class ResponseWriter:
    """Sends one response after the other (``messages.Responder``).

    Attributes:
        draining: Whether the next head says that its request is the connection's last one.
        ending: Whether the current request is the last one, whatever its head has said.
        facts: What follows from the current request's head.
        sent: Whether the client was sent anything for the current request.
    """

    __slots__ = (
        "_bodiless",
        "_chunked",
        "_connection",
        "_persistent",
        "_pieces",
        "draining",
        "ending",
        "facts",
        "sent",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.facts = NOTHING_FOLLOWS
        self.draining = self.ending = self.sent = False
        self._pieces: list[bytes] = []
        self._bodiless = self._chunked = self._persistent = False

    @property
    def congested(self) -> bool:
        return self._connection.congested

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self._connection.writable = callback

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        if self.facts.http_1_1:
            # RFC 9110 section 15.2: never to an HTTP/1.0 client.
            self._write(serialised(status, reason, fields))

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
        facts = self.facts
        persistent = facts.persistent and not (close or self.draining)
        added: list[Field] = []
        if not dated:
            # RFC 9110 section 6.6.1: a recipient with a clock adds a missing Date.
            added.append((b"Date", http_date()))
        self._bodiless = facts.is_head or status in (204, 304)
        self._chunked = not (self._bodiless or sized) and facts.http_1_1
        if self._chunked:
            added.append((b"Transfer-Encoding", b"chunked"))
        elif not (self._bodiless or sized):
            # RFC 9112 section 6.3: to HTTP/1.0 the end of the connection ends the content.
            persistent = False
        if facts.may_be_unsent and self._connection.body_outstanding:
            persistent = False
        if not persistent:
            added.append((b"Connection", b"close"))
        elif not facts.http_1_1:
            added.append((b"Connection", b"keep-alive"))
        self._persistent = persistent
        self._pieces.append(serialised(status, reason, fields + added))
        return added

    def send_body(self, data: bytes) -> None:
        if self._chunked:
            # A chunk of no length would be the last one.
            if data:
                self._pieces += (b"%x\r\n" % len(data), data, b"\r\n")
        elif not self._bodiless:
            self._pieces.append(data)

    def flush(self) -> None:
        if pieces := self._pieces:
            self._pieces = []
            self._write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def end(self) -> None:
        if self._chunked:
            self._pieces.append(b"0\r\n\r\n")
        pieces, self._pieces = self._pieces, []
        self.sent = True
        self._connection.writable = None
        persistent = self._persistent and not self.ending
        self._connection.end_response(b"".join(pieces), persistent=persistent)

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        self._write(serialised(101, reason, fields))
        self._connection.writable = None
        return self._connection.upgraded()

    def close(self) -> None:
        self._drop()
        self._connection.end_response(b"", persistent=False)

    def abort(self) -> None:
        self._drop()
        self._connection.abort()
        self._connection.end_response(b"", persistent=False)

    def fail(self, error: Exception, response: Response) -> int:
        log.error("fault while answering %s", self._connection.client, exc_info=error)
        if self.sent:
            # After the bytes already sent, the client would take it for the next response.
            self.abort()
            return 0
        self._drop()
        self.refuse(response)
        return response.status

    def refuse(self, response: Response) -> None:
        """Send a response and read no further request; the refused one may be malformed."""
        queue_response(self, response)
        self.flush()
        self._connection.linger()

    def _drop(self) -> None:
        self._pieces.clear()
        self._connection.writable = None

    def _write(self, data: bytes) -> None:
        self.sent = True
        self._connection.write(data)


def serialised(status: int, reason: bytes, fields: list[Field]) -> bytes:
    """A response head as bytes."""
    status_line = b"HTTP/1.1 %d %b" % (status, reason)
    return b"\r\n".join([status_line, *map(b": ".join, fields), b"\r\n"])
