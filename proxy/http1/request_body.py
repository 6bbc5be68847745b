"""A request's body as it arrives (``messages.RequestBody``).

The connection feeds it, and the forwarder takes from it; either may be the faster one.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Protocol

from proxy.errors import ClientFault
from proxy.net.limits import Limits

MAX_BUFFERED_BODY_BYTES = 128 * 1024
"""Bytes buffered while Jupyter reads slowly."""

EXPECT_CONTINUE_SECONDS = 30.0
"""How long a client may wait for 100 Continue while Jupyter is silent.

RFC 9110 section 10.1.1: it must not wait for ever. Common clients send after 1 second (curl, Go) to
3 (Apache's). One that never sends would keep its request in progress."""


class Source(Protocol):
    """Pauses and resumes reading from the client."""

    def pause_reading(self) -> None:
        """Take no more bytes from the client for now."""

    def resume_reading(self) -> None:
        """Take bytes from the client again."""


class EmptyBody:
    """The body of a request without content."""

    __slots__ = ()
    complete = True
    length: int | None = 0

    def arrived(self) -> bytes | None:
        return b""

    def take(self) -> bytes | None:
        return b""

    def when_more(self, callback: Callable[[], None] | None) -> None:
        """Never call it."""


EMPTY_BODY = EmptyBody()


class SizedBody:
    """A body of known length, which must keep a minimum pace.

    Attributes:
        complete: Whether all of it has arrived.
        length: In bytes; None if it is known only at the end.

    Args:
        source: Paused while too many bytes are buffered.
        limits: Set the minimum pace.
        length: As the attribute.
        expects_continue: Whether the client may wait for 100 Continue before it sends.
    """

    __slots__ = (
        "_begins_by",
        "_buffered_bytes",
        "_discarding",
        "_fault",
        "_limits",
        "_on_more",
        "_paused",
        "_pieces",
        "_seconds_left",
        "_source",
        "_surplus",
        "_waiting_since",
        "complete",
        "length",
    )

    def __init__(
        self, source: Source, limits: Limits, length: int | None, *, expects_continue: bool = False
    ) -> None:
        self._source = source
        self.length = length
        self._limits = limits
        self._begins_by = monotonic() + EXPECT_CONTINUE_SECONDS if expects_continue else 0.0
        self._seconds_left = limits.content_grace_seconds
        self._pieces: list[bytes] = []
        self._buffered_bytes = 0
        self._waiting_since: float | None = None
        self._fault: Exception | None = None
        self._on_more: Callable[[], None] | None = None
        self._paused = self._discarding = self._surplus = False
        self.complete = False

    @property
    def outstanding(self) -> bool:
        """Whether the client may still be sending."""
        return not self.complete or self._fault is not None or self._surplus

    # For the forwarder (messages.RequestBody)

    def arrived(self) -> bytes | None:
        """All of the content, once, if it is complete; else None."""
        if not self.complete or self._fault is not None:
            return None
        content = b"".join(self._pieces)
        self._clear()
        return content

    def take(self) -> bytes | None:
        """The content that arrived since the last call: None if none did, b"" at the end.

        After None labgate waits for the client.

        Raises:
            ClientFault: The content arrived too slowly, or is malformed.
            ConnectionError: The client went away in the middle.
        """
        if self._fault is not None:
            raise self._fault
        if not self._pieces:
            if self.complete:
                return b""
            self._waiting_since = self._waiting_since or monotonic()
            return None
        piece = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._clear()
        # Only the time that labgate waits for the client counts, not that of a slow Jupyter. The
        # maximum keeps content that arrived quickly from paying for a long silence later.
        seconds_left = self._seconds_left + len(piece) / self._limits.content_pace
        self._seconds_left = min(seconds_left, self._limits.content_grace_seconds)
        return piece

    def when_more(self, callback: Callable[[], None] | None) -> None:
        """Call ``callback`` whenever ``take`` would return or raise something new."""
        self._on_more = callback

    # For the connection

    def feed(self, data: bytes) -> None:
        """Receive the next bytes of the body."""
        self._begins_by = 0.0
        self._append(data)
        self._notify()

    def end(self) -> None:
        """The body is complete."""
        self.complete = True
        self._notify()

    def fail(self, error: Exception) -> None:
        """There will be no more content; does nothing if the body is complete."""
        if not self.complete:
            self._set_fault(error)
            self._notify()

    def check_pace(self, now: float, *, response_begun: bool) -> None:
        """Fail if the content arrives too slowly; called about twice a second.

        Args:
            now: ``time.monotonic()``.
            response_begun: Whether the client was sent anything. Before that, one that expects
                100 Continue need not send (RFC 9110 section 10.1.1).
        """
        if self._waiting_since is None:
            return
        if now < self._begins_by and not response_begun:
            self._waiting_since = now
        elif now - self._waiting_since > self._seconds_left:
            self._set_fault(ClientFault(408, "The request's content came too slowly."))
            self._notify()

    def discard(self) -> None:
        """Drop what has arrived and what is still to arrive."""
        self._discarding = True
        self._waiting_since = None
        self._clear()

    def _append(self, piece: bytes) -> None:
        if not self._discarding and piece:
            self._pieces.append(piece)
            self._buffered_bytes += len(piece)

    def _clear(self) -> None:
        self._pieces.clear()
        self._buffered_bytes = 0
        if self._paused:
            self._paused = False
            self._source.resume_reading()

    def _set_fault(self, error: Exception) -> None:
        self._fault = self._fault or error

    def _notify(self) -> None:
        if self._waiting_since is not None:
            self._seconds_left -= monotonic() - self._waiting_since
            self._waiting_since = None
        if self._on_more is not None:
            self._on_more()
        if self._buffered_bytes > MAX_BUFFERED_BODY_BYTES and not self._paused:
            self._paused = True
            self._source.pause_reading()
