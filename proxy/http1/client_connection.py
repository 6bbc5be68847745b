"""One HTTP/1.1 connection to Jupyter: a request goes out, a response comes in."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from time import monotonic
from typing import cast

from proxy.errors import UpstreamDown, UpstreamError, UpstreamGarbage, UpstreamTimeout
from proxy.http1.request_writer import LAST_CHUNK, REQUEST_HEAD, chunk
from proxy.http1.response_parser import ResponseParser
from proxy.messages import Receiver
from proxy.net.keepalive import keep_alive
from proxy.net.reset import unread
from proxy.rules.head import RequestHead
from proxy.rules.response_faults import switches_to_websocket

STALLED_SECONDS = 600.0
"""Fail an upload of which Jupyter has read nothing for this long."""


class UpstreamConnection(asyncio.Protocol):
    """Carries one request at a time.

    Attributes:
        reused: Whether it carried an earlier request: only then may a failure before the first
            byte mean that it was stale (RFC 9112 section 9.3.1).
        sent_at: When all of the request was sent (``time.monotonic``); None if it is not yet.
        retired: Whether it ends with the request in progress, because Jupyter has moved.
        wanted: Whether labgate may still use it. If the upstream ends it then, the pool ends its
            watches, too.
    """

    def __init__(self, released: Callable[[UpstreamConnection, bool], None]) -> None:
        self._released = released
        self._transport: asyncio.Transport | None = None
        self._reading = ResponseParser()
        self._upgrade_wanted = False
        self._request_complete = True
        self._writable: Callable[[], None] | None = None
        self._congested_since: float | None = None
        self.sent_at: float | None = None
        self._poll: select.poll | None = None
        self._chunked = False
        self.reused = False
        self.retired = False
        self.wanted = True

    # The request

    def send(
        self,
        receiver: Receiver,
        head: RequestHead,
        field_lines: bytes,
        request_id: bytes,
        content: bytes | None,
        *,
        chunked: bool = False,
        upgrade: bool = False,
    ) -> None:
        """Send a request.

        Args:
            receiver: Receives the response.
            head: Has its method and its target.
            field_lines: Its fields, as ``request_writer.serialize_fields`` writes them.
            request_id: Goes up behind them.
            content: All of its content; None if ``send_content`` and ``end_request`` follow.
            chunked: Whether the content's length is not known.
            upgrade: Whether the request asks for a WebSocket.

        Raises:
            UpstreamDown: The connection is gone already.
        """
        if self._transport is None:
            raise UpstreamDown("the upstream closed the connection at once")
        method = head.method
        self._reading.begin(receiver, method)
        self._upgrade_wanted = upgrade
        self._chunked = chunked
        self._request_complete = content is not None
        self.sent_at = None if content is None else monotonic()
        octets = REQUEST_HEAD % (method, head.target, field_lines, request_id)
        if content:
            octets += chunk(content) if chunked else content
        if chunked and content is not None:
            octets += LAST_CHUNK
        self._transport.write(octets)

    def send_content(self, data: bytes) -> None:
        """Queue a piece of content; dropped if the connection is lost."""
        if self._transport is not None:
            self._transport.write(chunk(data) if self._chunked else data)

    def end_request(self) -> None:
        """All of the content is queued: the connection may be used again."""
        if self._chunked and self._transport is not None:
            self._transport.write(LAST_CHUNK)
        self._request_complete = True
        self.sent_at = monotonic()

    def check_time(self, now: float, head_seconds: float, response_seconds: float) -> None:
        """Fail an upload or a response that does not go on; called about twice a second.

        Args:
            now: ``time.monotonic()``.
            head_seconds: From a head's first byte to its last.
            response_seconds: From the end of the request to the final head; 0 for as long
                as it likes.
        """
        if self._reading.receiver is None or self._reading.head is not None:
            return
        begun = self._reading.head_since
        stalled = self._congested_since
        if stalled is not None and now - stalled > STALLED_SECONDS:
            self.fail(UpstreamTimeout(f"nothing of the upload taken in {STALLED_SECONDS:g} s"))
        elif begun is not None and now - begun > head_seconds:
            self.fail(UpstreamTimeout(f"a response head took longer than {head_seconds:g} s"))
        elif response_seconds and self.sent_at and now - self.sent_at > response_seconds:
            self.fail(UpstreamTimeout(f"no response within {response_seconds:g} s"))

    def page_since(self, since: float) -> bool:
        """Whether a person's browser has been waiting here for a page at least since then.

        Args:
            since: By ``time.monotonic()``.
        """
        reading = self._reading
        if reading.receiver is None or reading.head is not None or reading.head_since is not None:
            return False
        sent_at = self.sent_at
        return sent_at is not None and sent_at <= since and reading.receiver.for_page

    @property
    def congested(self) -> bool:
        """Whether Jupyter reads more slowly than we write."""
        return self._congested_since is not None

    def when_writable(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` once, when congestion ends."""
        self._writable = callback

    def pause_reading(self) -> None:
        """Take no more of the response for now."""
        if self._transport is not None and self._transport.is_reading():
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take the response again."""
        if self._transport is not None and not self._transport.is_reading():
            self._transport.resume_reading()

    def give_up(self) -> None:
        """The response is not needed any more; close, because the rest of it may still come."""
        self._reading.receiver = None
        # In the next turn: asyncio's transport must not be aborted within resume_writing.
        asyncio.get_running_loop().call_soon(self.abort)

    def abort(self) -> None:
        """Close at once, because it is not needed any more."""
        self.wanted = False
        self._cut()

    @property
    def usable(self) -> bool:
        """Whether it can carry another request."""
        return self._transport is not None and not self._transport.is_closing()

    @property
    def quiet(self) -> bool:
        """Whether it is usable, and Jupyter has sent nothing since its last response.

        Bytes in the socket would be taken for the next client's response (RFC 9112 section 9.2);
        a FIN there means that the connection would fail.
        """
        if self._transport is None or self._transport.is_closing():
            return False
        if self._poll is None:
            self._poll = select.poll()
            channel = self._transport.get_extra_info("socket")
            self._poll.register(channel.fileno(), select.POLLIN)
        return not self._poll.poll(0)

    def detach(self) -> asyncio.Transport:
        """Hand the transport to a tunnel; this object is done."""
        transport = self._transport
        assert transport is not None, "see _on_upgrade"
        self._transport = self._reading.receiver = None
        self.wanted = False
        self._released(self, False)
        return transport

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        keep_alive(transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        reading = self._reading
        receiver = reading.receiver
        if receiver is None:
            # RFC 9112 section 9.2: unsolicited bytes belong to no request of ours.
            self._cut()
            return
        try:
            reading.feed(data)
            if reading.fault:
                self.fail(UpstreamGarbage(reading.fault))
            elif reading.switched is not None:
                self._on_upgrade(reading.switched)
            elif reading.complete:
                self._finish()
            else:
                receiver.on_pause()
        except Exception as error:
            reading.receiver = None
            self._cut()
            receiver.on_failure(error)

    def eof_received(self) -> None:
        if self._reading.ends_with_connection():
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        transport, self._transport = self._transport, None
        self._writable = None
        self._released(self, False)
        if self._reading.receiver and exc and transport and (rest := unread(transport)):
            # A write failed, but an early response may still be unread (RFC 9112 section 9.6).
            self.data_received(rest)
        self._reading.close()
        if self._reading.receiver is None:
            return
        if not self._reading.begun:
            self.fail(UpstreamDown("the upstream closed the connection without an answer"))
        elif self._reading.head is None:
            self.fail(UpstreamGarbage("the upstream closed in the middle of a response head"))
        else:
            self.fail(UpstreamGarbage("the upstream closed in the middle of a response"))

    def pause_writing(self) -> None:
        self._congested_since = monotonic()

    def resume_writing(self) -> None:
        self._congested_since = None
        writable, self._writable = self._writable, None
        if writable is not None:
            writable()

    # Endings

    def _on_upgrade(self, rest: bytes) -> None:
        receiver, head = self._reading.receiver, self._reading.head
        if (
            receiver is None
            or head is None
            or not self._upgrade_wanted
            or not switches_to_websocket(head)
        ):
            self.fail(UpstreamGarbage("the upstream switched protocols unasked"))
            return
        if self._transport is None:
            self.fail(UpstreamDown("the upstream closed right after its 101"))
            return
        # The tunnel reads what follows, once it has taken over.
        self.pause_reading()
        receiver.on_upgrade(head, rest)

    def _finish(self) -> None:
        receiver, self._reading.receiver = self._reading.receiver, None
        clean = self._reading.reusable and self._request_complete
        reusable = clean and self.usable and not self.retired
        self.reused = True
        if not reusable:
            self.wanted = False
        self._released(self, reusable)
        if not reusable:
            # close() would wait until Jupyter has read the rest of an upload that it has already
            # responded to.
            self._cut()
        if receiver is not None:
            receiver.on_end()

    def fail(self, error: UpstreamError) -> None:
        """End the request in progress with ``error``, and the connection."""
        receiver, self._reading.receiver = self._reading.receiver, None
        self._cut()
        if receiver is not None:
            receiver.on_failure(error)

    def _cut(self) -> None:
        if self._transport is not None:
            self._transport.abort()
