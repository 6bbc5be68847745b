"""A WebSocket whose bytes pass untouched, while a copy is read as messages.

Tested by tests/inspector/test_recorder.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic

from proxy.inspector.content import redacted_text
from proxy.inspector.exchange import CapturedMessage, Exchange
from proxy.inspector.frames import Opcode
from proxy.inspector.guard import Guard
from proxy.inspector.kernel_messages import carries_kernel_messages, parse_kernel_message
from proxy.inspector.ring import Ring
from proxy.inspector.websocket_messages import Message, MessageReader, negotiated_deflate
from proxy.messages import RawConnection, TunnelEnd
from proxy.rules.head import Field

MAX_MESSAGES = 500
"""Of one WebSocket; the earlier ones are dropped."""
MAX_TEXT_BYTES = 8 * 1024
KERNEL_WORDS = frozenset({"code"})
"""In a kernel's messages the code of a cell, not that of OAuth."""

_KINDS = {
    Opcode.TEXT: "text",
    Opcode.BINARY: "binary",
    Opcode.CLOSE: "close",
    Opcode.PING: "ping",
    Opcode.PONG: "pong",
}


class TunnelRecorder:
    """Describes the messages of one WebSocket in its exchange.

    Args:
        exchange: Gets the messages.
        ring: Is told of them.
        target: The request target, which says whether a kernel speaks.
        fields: The 101's, with what was negotiated.
        began: When the exchange began (``time.monotonic``).
        guard: What is read is read in it.
        content: Whether the messages' content is captured.
    """

    def __init__(
        self,
        exchange: Exchange,
        ring: Ring,
        target: bytes,
        fields: Sequence[Field],
        began: float,
        *,
        guard: Guard,
        content: bool,
    ) -> None:
        self._exchange = exchange
        self._ring = ring
        self._guard = guard
        self._began = began
        self._content = content
        self._kernel = carries_kernel_messages(target)
        self._subprotocol = b"".join(_values(fields, b"sec-websocket-protocol")).strip()
        deflate = negotiated_deflate(_values(fields, b"sec-websocket-extensions"))
        self._up = MessageReader(deflate=deflate)
        self._down = MessageReader(deflate=deflate)

    def feed(self, data: bytes, *, up: bool) -> None:
        """Read a copy of what passes."""
        with self._guard:
            self._read(data, up=up)

    def _read(self, data: bytes, *, up: bool) -> None:
        exchange = self._exchange
        if up:
            exchange.bytes_up += len(data)
        else:
            exchange.bytes_down += len(data)
        described = [
            self._describe(message, up=up)
            for message in (self._up if up else self._down).feed(data)
        ]
        if not described:
            return
        exchange.messages += described
        if (surplus := len(exchange.messages) - MAX_MESSAGES) > 0:
            del exchange.messages[:surplus]
            exchange.messages_dropped += surplus
        self._ring.grow(exchange, sum(message.weight for message in described))

    def _describe(self, message: Message, *, up: bool) -> CapturedMessage:
        binary = message.opcode == Opcode.BINARY
        words = text = ""
        # Of binary messages only the kernels' are text inside.
        shown = message.content if message.opcode == Opcode.TEXT else b""
        if self._kernel and message.opcode in (Opcode.TEXT, Opcode.BINARY):
            kernel_message = parse_kernel_message(
                message.content, binary=binary, subprotocol=self._subprotocol
            )
            if kernel_message is not None:
                words, shown = (
                    str(kernel_message),
                    kernel_message.content.encode("utf-8", "replace"),
                )
        if self._content and shown:
            whole = message.whole and len(shown) <= MAX_TEXT_BYTES
            text = redacted_text(
                shown[:MAX_TEXT_BYTES], "application/json", whole=whole, public=KERNEL_WORDS
            )
        return CapturedMessage(
            at=monotonic() - self._began,
            up=up,
            kind=_KINDS.get(Opcode(message.opcode), "") if message.opcode in _KNOWN else "unknown",
            frames=message.frames,
            octets=message.length,
            close_code=message.close_code,
            words=words,
            text=text,
        )


class RecordedConnection:
    """The client's raw connection (``messages.RawConnection``), copied to the recorder."""

    def __init__(self, client: RawConnection, recorder: TunnelRecorder) -> None:
        self._client = client
        self._recorder = recorder

    def start(self, end: TunnelEnd) -> None:
        self._client.start(RecordedEnd(end, self._recorder))

    def write(self, data: bytes) -> None:
        self._recorder.feed(data, up=False)
        self._client.write(data)

    def pause_reading(self) -> None:
        self._client.pause_reading()

    def resume_reading(self) -> None:
        self._client.resume_reading()

    def write_eof(self) -> bool:
        return self._client.write_eof()

    def finish(self) -> None:
        self._client.finish()

    def abort(self) -> None:
        self._client.abort()


class RecordedEnd:
    """The tunnel's end towards the client (``messages.TunnelEnd``)."""

    def __init__(self, end: TunnelEnd, recorder: TunnelRecorder) -> None:
        self._end = end
        self._recorder = recorder

    def feed_data(self, data: bytes) -> None:
        self._recorder.feed(data, up=True)
        self._end.feed_data(data)

    def feed_eof(self) -> None:
        self._end.feed_eof()

    def client_lost(self, exc: Exception | None) -> None:
        self._end.client_lost(exc)

    def client_congested(self, congested: bool) -> None:
        self._end.client_congested(congested)


_KNOWN = frozenset(Opcode)


def _values(fields: Sequence[Field], name: bytes) -> list[bytes]:
    return [value for key, value in fields if key.lower() == name]
