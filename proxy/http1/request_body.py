"""A request's content as it arrives."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import Protocol

import httptools

from proxy.errors import ClientFault
from proxy.net.limits import Limits

MAX_WAITING_BYTES = 128 * 1024
"""Octets that may wait for a Jupyter that reads slowly."""

EXPECT_CONTINUE_SECONDS = 30.0
"""For so long a client that expects 100 Continue may wait for it while Jupyter is silent. RFC 9110
section 10.1.1: it must not wait for ever. Those that people use begin after 1 second (curl, Go) to
3 (Apache's), and whoever never means to would keep a request under way."""

FRAMING_ALLOWANCE_BYTES = 16 * 1024
FRAMING_FACTOR = 8
"""A chunk of one octet is six octets long; more than this is no framing but padding."""

_CHUNKED_HEAD = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"


class Source(Protocol):
    """Where content comes from."""

    def pause_reading(self) -> None:
        """Let no more come for now."""

    def resume_reading(self) -> None:
        """Let more come."""


class EmptyBody:
    """What most requests have (``messages.RequestBody``)."""

    __slots__ = ()
    complete = True
    length: int | None = 0

    def arrived(self) -> bytes | None:
        return b""

    def take(self) -> bytes | None:
        return b""

    def when_more(self, callback: Callable[[], None] | None) -> None:
        """Never."""


NO_CONTENT = EmptyBody()


class SizedBody:
    """Content of a known length (``messages.RequestBody``), which must keep a minimum pace.

    Attributes:
        complete: Whether all of it has come.
        length: Its bytes; None when only its end will tell.

    Args:
        expects_continue: Whether its client expects 100 Continue before it begins.
    """

    __slots__ = (
        "_allowed",
        "_begins_by",
        "_fault",
        "_held_back",
        "_limits",
        "_more",
        "_pieces",
        "_source",
        "_surplus",
        "_unwanted",
        "_waiting_bytes",
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
        self._allowed = limits.content_grace_seconds
        self._pieces: list[bytes] = []
        self._waiting_bytes = 0
        self._waiting_since: float | None = None
        self._fault: Exception | None = None
        self._more: Callable[[], None] | None = None
        self._held_back = self._unwanted = self._surplus = False
        self.complete = False

    @property
    def outstanding(self) -> bool:
        """Whether its client may still be sending."""
        return not self.complete or self._fault is not None or self._surplus

    # For whoever takes it

    def arrived(self) -> bytes | None:
        """Everything, once, when it came along with the head."""
        if not self.complete or self._fault is not None:
            return None
        whole = b"".join(self._pieces)
        self._clear()
        return whole

    def take(self) -> bytes | None:
        """What has come since the last time; None when that is nothing, b"" at the end.

        After None the client is being waited for.

        Raises:
            ClientFault: It came too slowly, or is malformed.
            ConnectionError: There will be no more.
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
        # Only the time labgate waited for the client counts, never a slow Jupyter's; and
        # what came quickly buys no long silence later.
        allowed = self._allowed + len(piece) / self._limits.content_pace
        self._allowed = min(allowed, self._limits.content_grace_seconds)
        return piece

    def when_more(self, callback: Callable[[], None] | None) -> None:
        """Call ``callback`` whenever ``take`` has something new to tell."""
        self._more = callback

    # For the connection

    def feed(self, octets: bytes) -> None:
        """The next octets of it."""
        self._begins_by = 0.0
        self._add(octets)
        self._wake()

    def end(self) -> None:
        """That was all."""
        self.complete = True
        self._wake()

    def fail(self, error: Exception) -> None:
        """There will be no more content; nothing happens when it is complete already."""
        if not self.complete:
            self._refuse(error)
            self._wake()

    def check_pace(self, now: float, *, response_begun: bool) -> None:
        """Refuse what comes too slowly; called about twice a second.

        Args:
            now: ``time.monotonic()``.
            response_begun: Whether the client has heard of Jupyter. Before that, one that expects
                100 Continue owes nothing (RFC 9110 section 10.1.1).
        """
        if self._waiting_since is None:
            return
        if now < self._begins_by and not response_begun:
            self._waiting_since = now
        elif now - self._waiting_since > self._allowed:
            self._refuse(ClientFault(408, "The request's content came too slowly."))
            self._wake()

    def drop(self) -> None:
        """Nobody wants the rest any more."""
        self._unwanted = True
        self._waiting_since = None
        self._clear()

    def _add(self, piece: bytes) -> None:
        if not self._unwanted and piece:
            self._pieces.append(piece)
            self._waiting_bytes += len(piece)

    def _clear(self) -> None:
        self._pieces.clear()
        self._waiting_bytes = 0
        if self._held_back:
            self._held_back = False
            self._source.resume_reading()

    def _refuse(self, error: Exception) -> None:
        self._fault = self._fault or error

    def _wake(self) -> None:
        if self._waiting_since is not None:
            self._allowed -= monotonic() - self._waiting_since
            self._waiting_since = None
        if self._more is not None:
            self._more()
        if self._waiting_bytes > MAX_WAITING_BYTES and not self._held_back:
            self._held_back = True
            self._source.pause_reading()


class ChunkedBody(SizedBody):
    """Content in chunks (RFC 9112 section 7.1).

    Chunk extensions and trailers are dropped (sections 7.1.1 and 7.1.2), so nobody else
    would notice how many there are.
    """

    __slots__ = ("_barren", "_content", "_octets", "_parser", "_trailers")

    def __init__(self, source: Source, limits: Limits, *, expects_continue: bool = False) -> None:
        super().__init__(source, limits, None, expects_continue=expects_continue)
        self._octets = 0
        self._content = 0
        self._barren = 0
        self._trailers = -1  # the one field of the head
        # It knows this object: gone as soon as it is done, or the two would be a circle.
        self._parser: httptools.HttpRequestParser | None = httptools.HttpRequestParser(self)
        self._parser.feed_data(_CHUNKED_HEAD)

    def feed(self, octets: bytes) -> None:
        parser = self._parser
        if parser is None:
            self._surplus = True
            return
        self._begins_by = 0.0
        before, piece_count = self._content, len(self._pieces)
        self._octets += len(octets)
        try:
            parser.feed_data(octets)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            # Behind the last chunk it is nobody's content.
            if not self.complete:
                self._refuse(ClientFault(400, "The request's content is not well-formed."))
        # Octets in a row without any content can only be trailers or one endless line.
        self._barren = 0 if self._content > before else self._barren + len(octets)
        if (
            self._octets - self._content > FRAMING_ALLOWANCE_BYTES + FRAMING_FACTOR * self._content
            or self._barren > self._limits.head
            or self._trailers > self._limits.fields
        ):
            self._refuse(ClientFault(400, "There is too much around the request's content."))
        if len(self._pieces) - piece_count > 1:
            # Many tiny pieces would take many times the memory of their octets.
            self._pieces[piece_count:] = [b"".join(self._pieces[piece_count:])]
        if self.complete or self._fault is not None:
            self._parser = None
        self._wake()

    def fail(self, error: Exception) -> None:
        super().fail(error)
        self._parser = None

    def drop(self) -> None:
        super().drop()
        self._parser = None

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        # Behind the last chunk: another request, which is not read any more.
        self._surplus = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self.complete:
            self._trailers += 1

    def on_body(self, piece: bytes) -> None:
        if not self.complete:
            self._content += len(piece)
            self._add(piece)

    def on_message_complete(self) -> None:
        self.complete = True
