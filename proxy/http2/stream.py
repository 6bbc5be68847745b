"""One request and its response on an HTTP/2 connection.

The states are those of RFC 9113 section 5.1, as far as a server without push meets them. h2 keeps
them and refuses what they do not allow; here is what labgate does in each.

``idle``: nothing has been received. A HEADERS frame opens the stream. If its head is malformed, or
there are too many streams, the stream gets a 400 or is reset, and no request comes of it.

``open``: the client still sends content. The request is *waiting* until the bytes that came with it
have been read, and as long as the client does not read what it was sent; then it is *dispatched*.
END_STREAM makes the stream *half-closed (remote)*; most requests begin in that state.

``half-closed (remote)``: the client has sent everything. Its response is sent, frame by frame, as
windows and priorities allow. END_STREAM ends it, and the stream is *closed*.

``half-closed (local)``: the response was complete before the content was. labgate does not stay in
this state: RST_STREAM with NO_ERROR asks the client to stop (section 8.1), and closes the stream.

``closed``: by END_STREAM on both sides, or by RST_STREAM of either. The proxying may still hold the
responder: whatever it sends is dropped.

Tested by tests/http2/test_server_connection.py.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from h2.errors import ErrorCodes

from proxy.errors import ClientFault
from proxy.http2.priorities import SHORT_BYTES, Priority
from proxy.http2.request_body import StreamBody
from proxy.messages import RequestInProgress
from proxy.net.limits import Slot
from proxy.rules.decision import Refuse
from proxy.rules.head import Field, RequestHead

MAX_QUEUED_BYTES = 64 * 1024
"""Of one response's content; then the upstream is not read."""
RESUMED_QUEUED_BYTES = MAX_QUEUED_BYTES // 2
"""Few enough to read it again."""


class StreamConnection(Protocol):
    """The connection as its streams see it."""

    @property
    def client(self) -> str:
        """The client's address, for the log."""

    def send_fields(self, stream: Stream, fields: list[Field], *, end: bool) -> None:
        """Queue a HEADERS frame; ``end`` when the stream ends with it."""

    def schedule(self, stream: Stream) -> None:
        """Content of the stream, or its end, waits to be sent."""

    def flush(self) -> None:
        """Send what waits, as far as windows and the transport allow."""

    def flush_soon(self) -> None:
        """Do it in the event loop's next turn, with what else waits until then."""

    def reset(self, stream: Stream, code: ErrorCodes) -> None:
        """Close the stream with RST_STREAM."""

    def open_windows(self, stream: Stream, count: int) -> None:
        """Let the client send so many bytes more."""


class Stream:
    """One stream, from its HEADERS frame until it is closed (``priorities.Sendable``).

    Attributes:
        id: Its number.
        head: The request, or why it is refused.
        body: The request's content; None if it has none.
        priority: What the client says of the response.
        in_progress: The request as the proxying has it; None before and after.
        queued_bytes: Of content that waits to be sent.
        request_ended: Whether the client has sent END_STREAM.
        response_begun: Whether a HEADERS frame was sent, be it an interim response's.
        response_ended: Whether nothing more will be queued.
        end_sent: Whether END_STREAM was sent.
        sent_bytes: Of content.
        turn: As in ``priorities.Sendable``.
        blocked: Whether its window is used up.
        closed: Whether it is in that state.
        writable: Called each time congestion ends.
        progress_at: When content was sent the last time, or began to wait, by
            ``time.monotonic()``.
        slot: Counts the stream.
        wide_window: Counts it where its window is a wide one.
    """

    __slots__ = (
        "_connection",
        "_queue",
        "blocked",
        "body",
        "closed",
        "end_sent",
        "head",
        "id",
        "in_progress",
        "priority",
        "progress_at",
        "queued_bytes",
        "request_ended",
        "response_begun",
        "response_ended",
        "sent_bytes",
        "slot",
        "turn",
        "wide_window",
        "writable",
    )

    def __init__(
        self,
        connection: StreamConnection,
        number: int,
        head: RequestHead | Refuse,
        priority: Priority,
        *,
        slot: Slot,
        now: float,
    ) -> None:
        self._connection = connection
        self.id = number
        self.priority = priority
        self.slot = slot
        self.wide_window: Slot | None = None
        self.head = head
        self.body: StreamBody | None = None
        self.in_progress: RequestInProgress | None = None
        self._queue: deque[bytes | memoryview] = deque()
        self.queued_bytes = self.sent_bytes = self.turn = 0
        self.request_ended = self.response_begun = self.response_ended = self.end_sent = False
        self.blocked = self.closed = False
        self.writable: Callable[[], None] | None = None
        self.progress_at = now

    @property
    def client(self) -> str:
        """The client's address, for the log."""
        return self._connection.client

    @property
    def congested(self) -> bool:
        """Whether more of the response waits than should."""
        return self.queued_bytes > MAX_QUEUED_BYTES

    # For the responder

    def send_fields(self, fields: list[Field], *, end: bool = False) -> None:
        """Queue a HEADERS frame; ``end`` when the response ends with it."""
        if not self.closed:
            self.response_begun = True
            self.response_ended = end
            self._connection.send_fields(self, fields, end=end)

    def queue(self, data: bytes) -> None:
        """Queue content."""
        if data and not self.closed:
            self._queue.append(data)
            self.queued_bytes += len(data)
            self._connection.schedule(self)

    def end_response(self) -> None:
        """Nothing more will be queued."""
        self.in_progress = self.writable = None
        if not (self.closed or self.response_ended):
            self.response_ended = True
            self._connection.schedule(self)

    def flush(self) -> None:
        """Send what is queued, as far as windows and the transport allow.

        What is short shares a write with others: a write costs as much as the rest of a response.
        """
        if self.queued_bytes > SHORT_BYTES:
            self._connection.flush()
        else:
            self._connection.flush_soon()

    def reset(self) -> None:
        """Break the response off."""
        self.in_progress = self.writable = None
        if not self.closed:
            self._connection.reset(self, ErrorCodes.INTERNAL_ERROR)

    # For the body (request_body.Windows)

    def open_windows(self, count: int) -> None:
        self._connection.open_windows(self, count)

    # For the connection

    def take(self, most: int) -> bytes | memoryview:
        """The next content to send, of at most so many bytes."""
        queue = self._queue
        if not queue:
            return b""
        first = queue.popleft()
        if len(first) > most:
            rest = memoryview(first)
            first = rest[:most]
            queue.appendleft(rest[most:])
        elif queue and len(first) < most:
            first = self._joined(first, most)
        self.queued_bytes -= len(first)
        self.sent_bytes += len(first)
        return first

    def _joined(self, first: bytes | memoryview, most: int) -> bytes:
        pieces, size = [first], len(first)
        while self._queue and size + len(self._queue[0]) <= most:
            piece = self._queue.popleft()
            pieces.append(piece)
            size += len(piece)
        return b"".join(pieces)

    def end_request(self) -> None:
        """The client has sent everything."""
        self.request_ended = True
        if self.body is not None:
            self.body.end()

    def fail_request(self, status: int, sentence: str) -> None:
        """What the client has sent cannot be a request's content."""
        if self.body is not None:
            self.body.fail(ClientFault(status, sentence))

    def close(self) -> None:
        """The stream is closed: what waits is dropped, in both directions."""
        self.closed = True
        self._queue.clear()
        self.queued_bytes = 0
        self.slot.release()
        if self.wide_window is not None:
            self.wide_window.release()
        body, self.body = self.body, None
        if body is not None:
            body.discard()

    def cancel(self) -> None:
        """The client has closed it: end the request, too."""
        in_progress, body = self.in_progress, self.body
        self.in_progress = self.writable = None
        self.close()
        if body is not None:
            body.fail(ConnectionResetError("the client went away"))
        if in_progress is not None:
            in_progress.cancel()
