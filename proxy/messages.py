"""What an exchange reads its content from and writes its answer to, and who receives it.

The edge implements both streams over HTTP/1.1; nothing here knows which server is in front.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from proxy.errors import UpstreamError
from proxy.rules.model import ResponseHead


class Content(Protocol):
    """A request's content as it arrives (RFC 9110 section 6.4)."""

    def arrived(self) -> bytes | None:
        """All of the content, once, when it is here already (b"" for none), else None."""

    def take(self) -> bytes | None:
        """What has come since the last time; None when that is nothing, b"" at the end.

        Raises:
            ConnectionError: The client went away in the middle.
            ClientFault: It stopped sending, or sent what is no content.
        """

    def when_more(self, callback: Callable[[], None] | None) -> None:
        """Call ``callback`` whenever ``take`` has something new to tell."""


class TunnelEnd(Protocol):
    """What a tunnel gives the downstream side to call."""

    def feed_data(self, data: bytes) -> None:
        """Bytes from the client."""

    def feed_eof(self) -> None:
        """The client has said its last byte; it may still listen."""

    def client_lost(self, exc: Exception | None) -> None:
        """The client's connection is gone; ``exc`` when it broke."""


class Downstream(Protocol):
    """The client's connection, for writing."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the client; never waits."""

    @property
    def congested(self) -> bool:
        """Whether the client reads more slowly than we write."""

    @property
    def expecting(self) -> bool:
        """Whether content of the request under way has not come yet."""

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        """Call ``callback`` each time congestion ends."""

    def tunnel(self, end: TunnelEnd, congestion: Callable[[bool], None]) -> None:
        """From here on pass raw bytes to ``end`` and congestion changes to ``congestion``."""

    def pause_reading(self) -> None:
        """Take no more bytes from the client for now."""

    def resume_reading(self) -> None:
        """Take bytes from the client again."""

    def write_eof(self) -> bool:
        """Send a FIN after what is queued; False where the transport cannot (TLS)."""

    def finish(self) -> None:
        """Send what is queued, then close; nothing more is read."""

    def linger(self) -> None:
        """Close so that a client that still sends can read what it was answered.

        RFC 9112 section 9.6: bytes that nobody reads would become a reset, which takes
        the answer away.
        """

    def abort(self) -> None:
        """Close at once, so that the client sees a truncation and not an end."""

    def answered(self, *, persistent: bool) -> None:
        """The exchange is over; ``persistent`` when another may follow."""

    def failed(self, error: Exception, answer: bytes) -> None:
        """The exchange is over because of a fault of ours.

        Args:
            error: For the log.
            answer: For the client, unless it was told something already.
        """


class Receiver(Protocol):
    """Whoever waits for the answer; every method is called from the event loop."""

    @property
    def for_page(self) -> bool:
        """Whether a person waits for a page."""

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
