"""The headers of the frames that a client sends, before h2 sees them (RFC 9113 section 4.1).

h2 reports most frames and answers some without a word. So frames are counted here, and it is known
whether the client has begun something that it does not finish. No I/O.
"""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADER_BYTES = 9
END_STREAM = 0x1
END_HEADERS = 0x4
PADDED = 0x8


class FrameType(IntEnum):
    """RFC 9113 section 6, and RFC 9218 section 7.1."""

    DATA = 0
    HEADERS = 1
    PRIORITY = 2
    RST_STREAM = 3
    SETTINGS = 4
    PUSH_PROMISE = 5
    PING = 6
    GOAWAY = 7
    WINDOW_UPDATE = 8
    CONTINUATION = 9
    PRIORITY_UPDATE = 16


class FrameHeader(NamedTuple):
    """Type, flags and the length of the payload."""

    kind: int
    flags: int
    length: int


class FrameReader:
    """Finds where each frame begins, however the bytes are cut.

    Attributes:
        within_head: Whether a head, or the first bytes of any frame, have begun and not ended.
        block_bytes: Of the last header block, with the whole of the frame that is still coming.
    """

    __slots__ = ("_open_block", "_partial", "_skip", "_within_headers", "block_bytes")

    def __init__(self) -> None:
        self._skip = len(PREFACE)
        self.block_bytes = 0
        self._partial = b""
        self._open_block = self._within_headers = False

    def read(self, data: bytes) -> list[FrameHeader]:
        """The frames that begin in the next bytes."""
        if self._partial:
            data, self._partial = self._partial + data, b""
        at, end = self._skip, len(data)
        found: list[FrameHeader] = []
        while at + HEADER_BYTES <= end:
            kind, flags = data[at + 3], data[at + 4]
            length = int.from_bytes(data[at : at + 3], "big")
            found.append(FrameHeader(kind, flags, length))
            at += HEADER_BYTES + length
            self._within_headers = kind in (FrameType.HEADERS, FrameType.CONTINUATION)
            if self._within_headers:
                self._open_block = not flags & END_HEADERS
                before = self.block_bytes if kind == FrameType.CONTINUATION else 0
                self.block_bytes = before + length
        if at < end:
            self._partial, self._skip = data[at:], 0
        else:
            self._skip = at - end
        return found

    @property
    def within_head(self) -> bool:
        return self._open_block or bool(self._partial) or (self._within_headers and self._skip > 0)
