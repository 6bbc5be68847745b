"""One HTTP/1.1 connection to Jupyter: a request goes out, llhttp's callbacks come in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol, cast

import httptools

from proxy.errors import UpstreamDown, UpstreamError, UpstreamGarbage
from proxy.rules.model import Field, ResponseHead

MAX_HEAD_BYTES = 256 * 1024
"""A response head larger than this is not an answer but an attack or a fault."""


class Receiver(Protocol):
    """Whoever waits for the answer; every method is called from the event loop."""

    def on_interim(self, head: ResponseHead) -> None:
        """A 1xx other than 101."""

    def on_head(self, head: ResponseHead, *, delimited: bool) -> None:
        """The final head; ``delimited`` is False when the content ends with the connection."""

    def on_content(self, data: bytes) -> None:
        """A piece of content."""

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        """A 101 that was asked for, and the bytes that came right behind it."""

    def on_pause(self) -> None:
        """Everything that arrived together was handed over: write it."""

    def on_end(self) -> None:
        """The answer is complete."""

    def on_failure(self, error: UpstreamError) -> None:
        """There will be no (more) answer."""


class UpstreamConnection(asyncio.Protocol):
    """Carries one exchange at a time.

    ``reused`` tells whether an earlier exchange went over it: only then may a failure
    before the first byte mean that it was stale (RFC 9112 section 9.3.1).
    """

    def __init__(self, released: Callable[[UpstreamConnection, bool], None]) -> None:
        self._released = released
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._receiver: Receiver | None = None
        self._method = b""
        self._upgrade_wanted = False
        self._request_complete = True
        self._writable: asyncio.Future[None] | None = None
        self._congested = False
        self._head_bytes = 0
        self._reason = b""
        self._fields: list[Field] = []
        self._head: ResponseHead | None = None
        self._delimited = True
        self._keep_alive = True
        self._complete = False
        self._surplus = False
        self._fault = ""
        self.reused = False

    def __repr__(self) -> str:
        state = "closed" if self._transport is None else "busy" if self._receiver else "idle"
        return f"<UpstreamConnection {state}{' reused' if self.reused else ''}>"

    # The exchange.

    def begin(self, receiver: Receiver, method: bytes, *, upgrade: bool = False) -> None:
        """Take one request; its bytes follow by ``write``, its end by ``request_sent``."""
        self._receiver = receiver
        self._method = method
        self._upgrade_wanted = upgrade
        self._request_complete = False
        self._head_bytes = 0
        self._reason = b""
        self._fields = []
        self._head = None
        self._delimited = self._keep_alive = True
        self._complete = self._surplus = False
        self._fault = ""

    def write(self, data: bytes) -> None:
        """Queue bytes; after the connection is lost they go nowhere."""
        if self._transport is not None:
            self._transport.write(data)

    def request_sent(self) -> None:
        """Every byte of the request is queued: the connection may be used again."""
        self._request_complete = True

    async def drained(self) -> None:
        """Wait while Jupyter reads more slowly than we write."""
        if self._congested and self._transport is not None:
            self._writable = asyncio.get_running_loop().create_future()
            await self._writable

    def pause_reading(self) -> None:
        """Take no more of the answer for now."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take the answer again."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    def give_up(self) -> None:
        """Nobody wants the answer any more: the connection cannot be used again."""
        self._receiver = None
        self.abort()

    def abort(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    @property
    def usable(self) -> bool:
        """Whether another exchange may begin."""
        return self._transport is not None and not self._transport.is_closing()

    def detach(self) -> asyncio.Transport:
        """Hand the transport to a tunnel; this object is done."""
        transport = self._transport
        if transport is None:
            raise UpstreamDown("the upstream closed right after its 101")
        self._transport = self._receiver = None
        return transport

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._receiver is None:
            # RFC 9112 section 9.2: unsolicited bytes belong to no request of ours.
            self.abort()
            return
        if self._head is None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._on_upgrade(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError as error:
            if self._fault:
                self._fail(UpstreamGarbage(self._fault))
                return
            if self._complete:
                # The answer stands; what came behind it is nobody's.
                self._surplus = True
                self._finish()
                return
            self._fail(UpstreamGarbage(f"the response is not HTTP: {error}"))
            return
        if self._fault:
            self._fail(UpstreamGarbage(self._fault))
        elif self._complete:
            self._finish()
        elif self._head is None and self._head_bytes > MAX_HEAD_BYTES:
            self._fail(UpstreamGarbage("the response head is too large"))
        else:
            self._receiver.on_pause()

    def eof_received(self) -> None:
        if self._head is not None and not self._delimited and not self._complete:
            self._keep_alive = False
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._wake_writer()
        self._released(self, False)
        if self._receiver is None:
            return
        if self._head_bytes == 0:
            self._fail(UpstreamDown("the upstream closed the connection without an answer"))
        elif self._head is None:
            self._fail(UpstreamGarbage("the upstream closed in the middle of a response head"))
        else:
            self._fail(UpstreamGarbage("the upstream closed in the middle of a response"))

    def pause_writing(self) -> None:
        self._congested = True

    def resume_writing(self) -> None:
        self._congested = False
        self._wake_writer()

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        if self._complete:
            self._surplus = True

    def on_status(self, status: bytes) -> None:
        self._reason += status

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head is None:
            # After the head these are trailers, which labgate drops.
            self._fields.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        if self._complete or self._receiver is None:
            return
        status = self._parser.get_status_code()
        self._fault = fault_of(status, self._parser.get_http_version(), self._fields)
        if self._fault:
            self._complete = True
            return
        head = ResponseHead(status, self._reason, tuple(self._fields))
        if status == 101:
            self._head = head
            return
        if status < 200:
            self._reason, self._fields = b"", []
            self._receiver.on_interim(head)
            return
        self._head = head
        bodiless = self._method == b"HEAD" or status in (204, 304)
        self._delimited = bodiless or any(
            name.lower() in (b"content-length", b"transfer-encoding") for name, _ in self._fields
        )
        self._keep_alive = self._delimited
        self._receiver.on_head(head, delimited=self._delimited)
        if self._method == b"HEAD":
            # llhttp cannot be told that no content follows: it would wait for it.
            self._complete = True
            self._keep_alive = self._parser.should_keep_alive()
            self._parser = httptools.HttpResponseParser(self)

    def on_body(self, body: bytes) -> None:
        if self._complete:
            self._surplus = True
        elif self._receiver is not None:
            self._receiver.on_content(body)

    def on_message_complete(self) -> None:
        if self._head is None or self._head.status == 101 or self._complete:
            return
        self._complete = True
        self._keep_alive = self._keep_alive and self._parser.should_keep_alive()

    # Endings

    def _on_upgrade(self, rest: bytes) -> None:
        receiver, head = self._receiver, self._head
        if (
            receiver is None
            or head is None
            or not self._upgrade_wanted
            or not switches_to_websocket(head)
        ):
            self._fail(UpstreamGarbage("the upstream switched protocols unasked"))
            return
        receiver.on_upgrade(head, rest)

    def _finish(self) -> None:
        receiver, self._receiver = self._receiver, None
        reusable = self._keep_alive and self._request_complete and not self._surplus and self.usable
        self.reused = True
        self._released(self, reusable)
        if not reusable and self._transport is not None:
            self._transport.close()
        if receiver is not None:
            receiver.on_end()

    def _fail(self, error: UpstreamError) -> None:
        receiver, self._receiver = self._receiver, None
        self.abort()
        if receiver is not None:
            receiver.on_failure(error)

    def _wake_writer(self) -> None:
        waiter, self._writable = self._writable, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def fault_of(status: int, version: str, fields: list[Field]) -> str:
    """What llhttp lets through in a response head; empty for none.

    A coding other than chunked would go down as if it were plain (RFC 9112 section 6.1).
    """
    codings = [value.lower() for name, value in fields if name.lower() == b"transfer-encoding"]
    if not 100 <= status <= 599:
        return f"the status {status} does not exist"
    if version not in ("1.0", "1.1"):
        return f"an answer in HTTP/{version}"
    if codings and (version == "1.0" or codings != [b"chunked"]):
        return "a transfer coding other than chunked"
    return ""


def switches_to_websocket(head: ResponseHead) -> bool:
    """Whether a 101 names the protocol that was asked for, and no other."""
    named = [value.lower() for name, value in head.fields if name.lower() == b"upgrade"]
    return named == [b"websocket"]
