"""The interfaces between a front, which speaks to clients, and the proxying.

A front (``http1``; ``http2``; ``web.front``; ``inspector.replay_front``, which has no client) gives
the proxying a head, a ``RequestBody`` and a ``Responder``, and calls ``cancel()`` on the
``RequestInProgress`` that it gets back when the client leaves. The front alone decides how a
response is framed, and whether the client's connection carries another request.

Tested by tests/proxying/test_messages.py, with a front in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from proxy.rules.head import Field, RequestHead, ResponseHead
from proxy.short_response import Response


class RequestBody(Protocol):
    """A request's content as it arrives (RFC 9110 section 6.4).

    Attributes:
        length: Its bytes: 0 for none, None for chunked content of unknown length.
    """

    length: int | None

    def arrived(self) -> bytes | None:
        """All of the content if it has already arrived (b"" for none), else None; call it once."""

    def take(self) -> bytes | None:
        """The content that arrived since the last call: None if none did, b"" at the end.

        Raises:
            ConnectionError: The client went away in the middle.
            ClientFault: The client stopped sending, or sent malformed content.
        """

    def when_more(self, callback: Callable[[], None] | None) -> None:
        """Call ``callback`` whenever ``take`` would return or raise something new."""


class TunnelEnd(Protocol):
    """Receives the client's bytes after an upgrade."""

    def feed_data(self, data: bytes) -> None:
        """Receive bytes from the client."""

    def feed_eof(self) -> None:
        """The client has sent its last byte; it may still read."""

    def client_lost(self, exc: Exception | None) -> None:
        """The client's connection is gone; ``exc`` when it broke."""

    def client_congested(self, congested: bool) -> None:
        """Whether the client reads more slowly than we write."""


class RawConnection(Protocol):
    """The client's connection after an upgrade: bytes without framing."""

    def start(self, end: TunnelEnd) -> None:
        """From here on pass the client's bytes to ``end``."""

    def write(self, data: bytes) -> None:
        """Queue bytes for the client; never waits."""

    def pause_reading(self) -> None:
        """Take no more bytes from the client for now."""

    def resume_reading(self) -> None:
        """Take bytes from the client again."""

    def write_eof(self) -> bool:
        """Send a FIN after what is queued; False where the transport cannot (TLS)."""

    def finish(self) -> None:
        """Send what is queued, then close; nothing more is read."""

    def abort(self) -> None:
        """Close at once, so that the client sees a truncation and not an end."""


class Responder(Protocol):
    """Sends the response to one request. Never waits: ``congested`` tells when to pause."""

    @property
    def congested(self) -> bool:
        """Whether the client reads more slowly than we write."""

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        """Call ``callback`` each time congestion ends."""

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        """Send a 1xx response other than 101; HTTP/1.0 clients are sent none."""

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
        """Queue the final head until ``flush`` or ``end``.

        Args:
            status: 200 or more.
            reason: The reason phrase; HTTP/2 has none.
            fields: Without those that frame the content, except Content-Length.
            sized: Whether Content-Length is among them.
            dated: Whether Date is among them.
            close: Whether the client's connection must end with this response.

        Returns:
            The fields that the front added.
        """

    def send_body(self, data: bytes) -> None:
        """Queue a piece of content until ``flush`` or ``end``."""

    def flush(self) -> None:
        """Send what is queued."""

    def end(self) -> None:
        """Send what is queued: the response is complete."""

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        """Send a 101 (Switching Protocols); what follows has no framing."""

    def close(self) -> None:
        """End the connection without a response."""

    def abort(self) -> None:
        """Break the response off, so that the client sees a truncation and not an end."""

    def fail(self, error: Exception, response: Response) -> int:
        """Log a fault of labgate's; send ``response``, or break off a response that has begun.

        Returns:
            The status that was sent; 0 if the response was broken off.
        """


def send_response(responder: Responder, response: Response) -> None:
    """Send a whole response of labgate's own."""
    queue_response(responder, response)
    responder.end()


def queue_response(responder: Responder, response: Response) -> None:
    """Queue a whole response, without its end."""
    reason = HTTPStatus(response.status).phrase.encode("ascii")
    responder.send_head(
        response.status, reason, list(response.fields), sized=True, dated=True, close=response.close
    )
    responder.send_body(response.content)


class RequestInProgress(Protocol):
    """A request that has no complete response yet."""

    def cancel(self) -> object:
        """Its client has gone."""


class Dispatch(Protocol):
    """Responds to one request now or starts a task."""

    def __call__(
        self, head: RequestHead, body: RequestBody, responder: Responder, /
    ) -> RequestInProgress: ...


class Receiver(Protocol):
    """Receives a response from an upstream; the event loop calls every method."""

    @property
    def for_page(self) -> bool:
        """Whether the response is a page that a person waits for."""

    def on_interim(self, head: ResponseHead) -> None:
        """A 1xx other than 101."""

    def on_head(self, head: ResponseHead) -> None:
        """The final head."""

    def on_content(self, data: bytes) -> None:
        """A piece of content."""

    def on_upgrade(self, head: ResponseHead, rest: bytes) -> None:
        """A 101 that was requested, and the bytes that came with it."""

    def on_pause(self) -> None:
        """Write the data queued since the last pause."""

    def on_end(self) -> None:
        """The response is complete."""

    def on_failure(self, error: Exception) -> None:
        """There will be no (more) response.

        Args:
            error: An ``UpstreamError``; anything else is a fault of labgate's.
        """
