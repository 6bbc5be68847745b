"""An answer on its way down: written to the client's connection as it arrives.

No task and no queue of its own: llhttp's callbacks append to a list, and whatever
arrived together leaves in one write. When the client reads slowly, reading from
Jupyter stops until its connection has drained, so at most one read's worth waits here.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate
from time import time

from proxy.errors import UpstreamError
from proxy.http1.client_connection import UpstreamConnection
from proxy.messages import Downstream
from proxy.rules.message import may_be_unsent
from proxy.rules.model import Change, Field, RequestHead, ResponseHead, Site, WebOrigin
from proxy.rules.negotiation import is_navigation
from proxy.rules.response import downstream_fields


class Relay:
    """Receives one answer (``streams.Receiver``) and writes it to the client.

    Attributes:
        over: Whether the answer is complete, became a tunnel, or failed.
        status: The final status, 0 until its head has come.
        started: Whether anything but interim responses was written.
        persistent: Whether the client's connection can carry another exchange.
        content_bytes: Content written so far, without framing.
        upgraded: The bytes that came right behind a 101; None unless there was one.

    Args:
        settled: Called once when it is over, with the ``UpstreamError`` that ended it.
        heard: Called with the head of the final answer.
    """

    __slots__ = (
        "_changes",
        "_chunked",
        "_connection",
        "_downstream",
        "_extra",
        "_heard",
        "_pieces",
        "_public",
        "_request",
        "_settled",
        "_site",
        "content_bytes",
        "over",
        "persistent",
        "started",
        "status",
        "upgraded",
    )

    def __init__(
        self,
        request: RequestHead,
        site: Site,
        public: WebOrigin,
        downstream: Downstream,
        connection: UpstreamConnection,
        *,
        settled: Callable[[UpstreamError | None], None],
        persistent: bool,
        extra: tuple[Field, ...] = (),
        heard: Callable[[ResponseHead], None] | None = None,
        changes: list[Change] | None = None,
    ) -> None:
        self._extra = extra
        self._heard = heard
        self._request = request
        self._site = site
        self._public = public
        self._downstream = downstream
        self._connection = connection
        self._changes = changes
        self._pieces: list[bytes] = []
        self._chunked = False
        self._settled = settled
        self.over = False
        self.status = 0
        self.started = False
        self.persistent = persistent
        self.content_bytes = 0
        self.upgraded: bytes | None = None

    # streams.Receiver

    @property
    def for_page(self) -> bool:
        return self._request.method == b"GET" and is_navigation(self._request)

    def on_interim(self, head: ResponseHead) -> None:
        if self._request.version < (1, 1):
            return  # RFC 9110 section 15.2: never to an HTTP/1.0 client.
        fields, _ = downstream_fields(head, self._site, self._public)
        self._downstream.write(serialised(head, fields))

    def on_head(self, head: ResponseHead, *, delimited: bool) -> None:
        self.status = head.status
        if self._heard is not None:
            self._heard(head)
        fields, dated = downstream_fields(head, self._site, self._public, changes=self._changes)
        self._add_extra(fields)
        kept = len(fields)
        if not dated:
            # RFC 9110 section 6.6.1: whoever has a clock adds the one that is missing.
            fields.append((b"Date", http_date()))
        self._frame(head, fields, delimited=delimited)
        if self._downstream.expecting and may_be_unsent(self._request):
            self.persistent = False
        if not self.persistent:
            fields.append((b"Connection", b"close"))
        elif self._request.version < (1, 1):
            fields.append((b"Connection", b"keep-alive"))
        if self._changes is not None:
            added = fields[kept:]
            self._changes.extend(Change("framing", name, None, value) for name, value in added)
        self._pieces.append(serialised(head, fields))

    def on_content(self, data: bytes) -> None:
        self.content_bytes += len(data)
        if self._chunked:
            self._pieces += (b"%x\r\n" % len(data), data, b"\r\n")
        else:
            self._pieces.append(data)

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        self.status = head.status
        if self._heard is not None:
            self._heard(head)
        fields, _ = downstream_fields(
            head, self._site, self._public, websocket=True, changes=self._changes
        )
        self._add_extra(fields)
        self._pieces.append(serialised(head, fields))
        self.upgraded = rest
        self._write()
        self._settle(None)

    def on_pause(self) -> None:
        self._write()
        if self._downstream.congested and not self.over:
            self._connection.pause_reading()
            self._downstream.when_writable(self._connection.resume_reading)

    def on_end(self) -> None:
        if self._chunked:
            self._pieces.append(b"0\r\n\r\n")
        self._write()
        self._settle(None)

    def on_failure(self, error: UpstreamError) -> None:
        self._write()
        self._settle(error)

    # Writing

    def _add_extra(self, fields: list[Field]) -> None:
        fields += self._extra
        if self._changes is not None:
            self._changes.extend(Change("gate", name, None, value) for name, value in self._extra)

    def _frame(self, head: ResponseHead, fields: list[Field], *, delimited: bool) -> None:
        """How the client will see the content end (RFC 9112 section 6.3)."""
        if self._request.method == b"HEAD" or head.status in (204, 304):
            return
        if delimited and b"content-length" in head.names:
            return
        if self._request.version >= (1, 1):
            self._chunked = True
            fields.append((b"Transfer-Encoding", b"chunked"))
        else:
            self.persistent = False

    def _write(self) -> None:
        if self._pieces:
            self.started = True
            pieces, self._pieces = self._pieces, []
            self._downstream.write(pieces[0] if len(pieces) == 1 else b"".join(pieces))

    def _settle(self, error: UpstreamError | None) -> None:
        self._downstream.when_writable(None)
        if not self.over:
            self.over = True
            self._settled(error)


def serialised(head: ResponseHead, fields: list[Field]) -> bytes:
    """A response head as bytes, ready to be written."""
    status_line = b"HTTP/1.1 %d %b" % (head.status, head.reason)
    return b"\r\n".join([status_line, *map(b": ".join, fields), b"\r\n"])


_date = (0, b"")


def http_date() -> bytes:
    """Now, as RFC 9110 section 5.6.7 wants it; made once a second."""
    global _date  # noqa: PLW0603  one value for the process, replaced whole
    now = int(time())
    if _date[0] != now:
        _date = (now, formatdate(now, usegmt=True).encode("ascii"))
    return _date[1]
