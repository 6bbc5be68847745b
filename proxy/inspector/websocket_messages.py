"""Messages of one direction of a WebSocket: fragments joined, compression undone on a copy."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from proxy.inspector.frames import Frame, FrameParser, Opcode

MAX_MESSAGE_BYTES = 64 * 1024
"""How much of a message is looked at; the rest is counted only."""
MAX_INFLATED_BYTES = 1024 * 1024
"""A message that is longer, compressed or not, ends the decompression of its direction. Up to twice
as much is held for each direction of each WebSocket, which no ring bounds."""

_TAIL = b"\x00\x00\xff\xff"
"""Left out by the sender (RFC 7692 section 7.2.1)."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message, or a control frame.

    Attributes:
        opcode: ``TEXT``, ``BINARY``, ``CLOSE``, ``PING``, ``PONG``, or an unknown number.
        frames: How many frames it came in.
        length: The bytes of its payload as they passed.
        content: The payload, decompressed; its first bytes if it was too long.
        whole: Whether ``content`` is all of it.
        close_code: Of a close frame (RFC 6455 section 7.4); 0 without a code.
    """

    opcode: int
    frames: int
    length: int
    content: bytes
    whole: bool
    close_code: int = 0


class MessageReader:
    """Reads the messages of one direction as their bytes pass.

    Args:
        deflate: Whether permessage-deflate was negotiated (RFC 7692).
        max_bytes: How much of a message is looked at.
    """

    def __init__(self, *, deflate: bool = False, max_bytes: int = MAX_MESSAGE_BYTES) -> None:
        # Without the whole payload nothing can be inflated.
        self._frames = FrameParser(MAX_INFLATED_BYTES if deflate else max_bytes)
        self._inflater = _Inflater(max_bytes) if deflate else None
        self._max_bytes = max_bytes
        self._first: Frame | None = None
        self._count = self._length = 0
        self._payload = bytearray()
        self._whole = True

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield every message that ``data`` completes."""
        for frame in self._frames.feed(data):
            if frame.is_control:
                yield _control(frame)
            elif (message := self._join(frame)) is not None:
                yield message

    def _join(self, frame: Frame) -> Message | None:
        if self._first is None:
            self._first = frame
        self._count += 1
        self._length += frame.length
        inflater = self._inflater if self._first.compressed else None
        inflates = inflater is not None and not inflater.ended
        limit = MAX_INFLATED_BYTES if inflates else self._max_bytes
        room = max(0, limit - len(self._payload))
        self._payload += frame.payload[:room]
        self._whole = self._whole and frame.is_whole and len(frame.payload) <= room
        return self._complete(self._first) if frame.final else None

    def _complete(self, first: Frame) -> Message:
        content, whole = bytes(self._payload), self._whole
        if first.compressed and self._inflater is not None:
            content, whole = self._inflater.inflate(content, whole)
            if self._inflater.ended:
                self._frames.max_payload_bytes = self._max_bytes
        elif first.compressed:
            content, whole = b"", False
        content = content[: self._max_bytes]
        message = Message(first.opcode, self._count, self._length, content, whole)
        self._first = None
        self._count = self._length = 0
        self._payload.clear()
        self._whole = True
        return message


class _Inflater:
    """Undoes permessage-deflate; the window goes on from message to message."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._window: zlib._Decompress | None = zlib.decompressobj(-zlib.MAX_WBITS)

    @property
    def ended(self) -> bool:
        """Whether nothing can be inflated any more."""
        return self._window is None

    def inflate(self, payload: bytes, whole: bool) -> tuple[bytes, bool]:
        """The first bytes of the message, and whether they are all of it."""
        if not whole:
            self._window = None
        window = self._window
        if window is None:
            return b"", False
        first, total = bytearray(), 0
        data = payload + _TAIL
        try:
            while data:
                piece = window.decompress(data, self._max_bytes)
                first += piece[: self._max_bytes - len(first)]
                total += len(piece)
                data = window.unconsumed_tail
                if total > MAX_INFLATED_BYTES:
                    self._window = None
                    return bytes(first), False
        except zlib.error:
            self._window = None
            return bytes(first), False
        return bytes(first), total == len(first)


def negotiated_deflate(extensions: Sequence[bytes]) -> bool:
    """Whether a 101's Sec-WebSocket-Extensions turn compression on (RFC 7692 section 7)."""
    named = [one.partition(b";")[0].strip() for value in extensions for one in value.split(b",")]
    return b"permessage-deflate" in named


def _control(frame: Frame) -> Message:
    code = 0
    if frame.opcode == Opcode.CLOSE and len(frame.payload) >= 2:
        (code,) = struct.unpack_from("!H", frame.payload)
    return Message(frame.opcode, 1, frame.length, frame.payload, frame.is_whole, code)
