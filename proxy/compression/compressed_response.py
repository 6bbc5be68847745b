"""Stands between the proxying and the client's side, and compresses the content that passes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

from proxy.compression.encoders import Encoder
from proxy.messages import RawConnection, Responder
from proxy.rules.head import Field
from proxy.short_response import Response

THREAD_BYTES = 32 * 1024
"""A larger piece is compressed in a thread, while the event loop serves others."""


class CompressedResponse:
    """The content of one response (``messages.Responder``).

    Pieces keep their order: while a thread compresses, new pieces are queued, and the response
    reports congestion. So no more is queued than was already on its way.

    Attributes:
        bytes_sent: Of compressed content.

    Args:
        responder: The client's side.
        encoder: A new one.
        in_thread: Runs work in a thread.
        ended: Called once after the response is complete, or with what made it fail.
        released: Called once when the encoder is not needed any more.
        prompt: Send each piece as soon as it comes, though that makes it larger.
    """

    def __init__(
        self,
        responder: Responder,
        encoder: Encoder,
        in_thread: Callable[[Callable[[], bytes]], asyncio.Future[bytes]],
        ended: Callable[[BaseException | None], None],
        released: Callable[[], None],
        *,
        prompt: bool,
    ) -> None:
        self.bytes_sent = 0
        self._responder = responder
        self._encoder: Encoder | None = encoder
        self._in_thread = in_thread
        self._ended = ended
        self._released = released
        self._prompt = prompt
        self._pieces: list[bytes] = []
        self._work: asyncio.Future[bytes] | None = None
        self._complete = False
        self._writable: Callable[[], None] | None = None

    # Responder

    @property
    def congested(self) -> bool:
        return self._work is not None or self._responder.congested

    def when_writable(self, callback: Callable[[], None] | None) -> None:
        self._writable = callback
        if self._work is None:
            self._responder.when_writable(None if callback is None else self._on_writable)

    def send_interim(self, status: int, reason: bytes, fields: list[Field]) -> None:
        self._responder.send_interim(status, reason, fields)

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
        return self._responder.send_head(
            status, reason, fields, sized=sized, dated=dated, close=close
        )

    def send_body(self, data: bytes) -> None:
        self._pieces.append(data)

    def flush(self) -> None:
        if self._work is None:
            self._compress()
            self._responder.flush()

    def end(self) -> None:
        """The content is complete; ``ended`` follows, at once or when a thread is done."""
        self._complete = True
        if self._work is None:
            self._compress()

    def upgrade(self, reason: bytes, fields: list[Field]) -> RawConnection:
        return self._responder.upgrade(reason, fields)

    def close(self) -> None:
        self.stop()
        self._responder.close()

    def abort(self) -> None:
        self.stop()
        self._responder.abort()

    def fail(self, error: Exception, response: Response) -> int:
        self.stop()
        return self._responder.fail(error, response)

    # The work

    def stop(self) -> None:
        """Send nothing more: the client has gone, or the response is broken off."""
        self._pieces.clear()
        self._writable = None
        self._work = None
        self._release()

    def _compress(self) -> None:
        """Send on what has come, here or through a thread; then the end."""
        encoder = self._encoder
        if encoder is None:
            return
        try:
            encoded = self._encoded(encoder)
        except Exception as error:
            # There is no memory, or no thread can be started. The client would wait for ever.
            self._fail(error)
            return
        if encoded is None:
            return
        self._send(encoded)
        if self._complete:
            self._release()
            self._responder.when_writable(None)
            self._responder.end()
            self._ended(None)

    def _encoded(self, encoder: Encoder) -> bytes | None:
        """What has come, compressed; None if a thread compresses it."""
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        if len(data) > THREAD_BYTES:
            self._work = self._in_thread(partial(self._encode, encoder, data))
            self._work.add_done_callback(self._on_work_done)
            return None
        encoded = self._encode(encoder, data) if data else b""
        return encoded + encoder.finish() if self._complete else encoded

    def _encode(self, encoder: Encoder, data: bytes) -> bytes:
        """Runs in a thread, too: never two at once."""
        encoded = encoder.encode(data)
        return encoded + encoder.flush() if self._prompt else encoded

    def _fail(self, error: BaseException) -> None:
        self.stop()
        self._ended(error)

    def _send(self, encoded: bytes) -> None:
        if encoded:
            self.bytes_sent += len(encoded)
            self._responder.send_body(encoded)

    def _on_work_done(self, work: asyncio.Future[bytes]) -> None:
        if self._work is not work:
            # Stopped before: the client has gone, or its connection serves another request.
            return
        self._work = None
        if work.cancelled():
            # It waited for a thread. The client would wait for ever.
            self._fail(RuntimeError("no more work is taken"))
            return
        if (error := work.exception()) is not None:
            self._fail(error)
            return
        self._send(work.result())
        self._responder.flush()
        if self._pieces or self._complete:
            self._compress()
        self._on_writable()

    def _on_writable(self) -> None:
        """A thread is done, or the client reads again: go on unless the other one holds it up."""
        if self._work is not None or self._writable is None:
            return
        if self._responder.congested:
            # Not registered before: a front may call once for each time it is asked.
            self._responder.when_writable(self._on_writable)
            return
        writable, self._writable = self._writable, None
        writable()

    def _release(self) -> None:
        if self._encoder is None:
            return
        # It takes MiBs; this object lasts until the next garbage collection, because it and
        # the client's side refer to each other.
        self._encoder = None
        self._released()
