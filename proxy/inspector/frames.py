"""WebSocket frames, read from a copy of the bytes of one direction (RFC 6455 section 5)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

MAX_HEADER_BYTES = 14
"""Two, eight of length and four of mask (RFC 6455 section 5.2)."""

_LENGTH_16_BITS, _LENGTH_64_BITS = 126, 127


class Opcode(IntEnum):
    """What a frame is (RFC 6455 section 11.8)."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame whose last byte has passed.

    Attributes:
        opcode: A number; ``Opcode`` has the known ones.
        final: Whether it ends a message (FIN).
        compressed: Whether it begins a compressed message (RSV1, RFC 7692 section 6).
        length: The payload's bytes.
        payload: The payload without its mask, or its first bytes if it was too long.
    """

    opcode: int
    final: bool
    compressed: bool
    length: int
    payload: bytes

    @property
    def is_control(self) -> bool:
        """Whether it is a close, ping or pong (RFC 6455 section 5.5)."""
        return bool(self.opcode & 8)

    @property
    def is_whole(self) -> bool:
        """Whether ``payload`` is all of it."""
        return len(self.payload) == self.length


@dataclass(slots=True)
class _Header:
    opcode: int
    final: bool
    compressed: bool
    length: int
    mask: bytes
    size: int


class FrameParser:
    """Reads the frames of one direction as their bytes pass.

    Attributes:
        max_payload_bytes: How much of a payload is kept; the rest is counted only.
    """

    def __init__(self, max_payload_bytes: int) -> None:
        self.max_payload_bytes = max_payload_bytes
        self._pending = bytearray()
        self._header: _Header | None = None
        self._payload = bytearray()
        self._remaining = 0

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield every frame that ``data`` completes."""
        rest = memoryview(data)
        while rest or (self._header is not None and not self._remaining):
            rest = self._read_header(rest) if self._header is None else self._read_payload(rest)
            if self._header is not None and not self._remaining:
                yield self._complete(self._header)

    def _read_header(self, data: memoryview) -> memoryview:
        had = len(self._pending)
        self._pending += data[: MAX_HEADER_BYTES - had]
        header = parse_header(self._pending)
        if header is None:
            return data[MAX_HEADER_BYTES - had :]
        self._pending.clear()
        self._header, self._remaining = header, header.length
        return data[header.size - had :]

    def _read_payload(self, data: memoryview) -> memoryview:
        piece = data[: self._remaining]
        wanted = self.max_payload_bytes - len(self._payload)
        if wanted > 0:
            self._payload += piece[:wanted]
        self._remaining -= len(piece)
        return data[len(piece) :]

    def _complete(self, header: _Header) -> Frame:
        payload = unmask(bytes(self._payload), header.mask)
        self._payload.clear()
        self._header = None
        return Frame(header.opcode, header.final, header.compressed, header.length, payload)


def parse_header(data: bytes | bytearray) -> _Header | None:
    """The header at the beginning of ``data``; None if it is not complete."""
    if len(data) < 2:
        return None
    length, size = data[1] & 0x7F, 2
    if length == _LENGTH_16_BITS:
        length, size = int.from_bytes(data[2:4], "big"), 4
    elif length == _LENGTH_64_BITS:
        length, size = int.from_bytes(data[2:10], "big"), 10
    masked = bool(data[1] & 0x80)
    end = size + 4 if masked else size
    if len(data) < end:
        return None
    return _Header(
        opcode=data[0] & 0x0F,
        final=bool(data[0] & 0x80),
        compressed=bool(data[0] & 0x40),
        length=length,
        mask=bytes(data[size:end]),
        size=end,
    )


def unmask(payload: bytes, mask: bytes) -> bytes:
    """The payload without its mask (RFC 6455 section 5.3); ``mask`` is empty or four bytes."""
    if not mask or not payload:
        return payload
    # One operation on long integers costs a thousandth of a loop over bytes.
    key = (mask * (len(payload) // 4 + 1))[: len(payload)]
    value = int.from_bytes(payload, "little") ^ int.from_bytes(key, "little")
    return value.to_bytes(len(payload), "little")
