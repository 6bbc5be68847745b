"""A request's content as its DATA frames bring it (``messages.RequestBody``).

The windows are opened for what was taken, or dropped, and for nothing else. So no more than a
stream's window waits for an upstream that reads slowly (RFC 9113 section 5.2).

Tested by tests/http2/test_server_connection.py.
"""

from __future__ import annotations

from typing import Protocol

from proxy.errors import ClientFault
from proxy.http1.request_body import SizedBody
from proxy.net.limits import Limits


class Windows(Protocol):
    """The windows of a stream and of its connection."""

    def open_windows(self, count: int) -> None:
        """Let the client send so many bytes more."""


class _NeverPaused:
    """The connection is read on for its other streams; this one's window is used up."""

    def pause_reading(self) -> None:
        """The window stays closed."""

    def resume_reading(self) -> None:
        """``StreamBody`` opens the window."""


_NEVER_PAUSED = _NeverPaused()


class StreamBody(SizedBody):
    """The content of one request.

    Args:
        windows: Opened for what was taken.
        limits: With the pace.
        length: Its bytes; None if only its end will tell.
        expects_continue: Whether the client may wait for 100 Continue before it begins.
    """

    __slots__ = ("_received_bytes", "_windows")

    def __init__(
        self, windows: Windows, limits: Limits, length: int | None, *, expects_continue: bool
    ) -> None:
        super().__init__(_NEVER_PAUSED, limits, length, expects_continue=expects_continue)
        self._windows = windows
        self._received_bytes = 0

    def feed(self, data: bytes) -> None:
        self._received_bytes += len(data)
        if self.length is not None and self._received_bytes > self.length:
            self.fail(ClientFault(400, "The content is longer than Content-Length."))
        super().feed(data)
        if self._discarding:
            self._windows.open_windows(len(data))

    def wait_for_window(self, now: float) -> None:
        """The connection's window is used up, so the client cannot send: this time does not count.

        Args:
            now: ``time.monotonic()``.
        """
        if self._waiting_since is not None:
            self._waiting_since = now

    def end(self) -> None:
        if self.length is not None and self._received_bytes != self.length:
            # Never let a request look complete that is not (RFC 9113 section 8.1.1).
            self.fail(ClientFault(400, "The content is not as long as Content-Length says."))
        else:
            super().end()

    def _clear(self) -> None:
        taken = self._buffered_bytes
        super()._clear()
        if taken:
            self._windows.open_windows(taken)
