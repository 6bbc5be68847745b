"""Frames as bytes and back, without h2 (RFC 9113 section 4): any octets, whatever is allowed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS = 0, 1, 2, 3, 4
PUSH_PROMISE, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION, PRIORITY_UPDATE = 5, 6, 7, 8, 9, 16
END_STREAM = ACK = 0x1
END_HEADERS, PADDED = 0x4, 0x8

ERRORS = [
    "NO_ERROR",
    "PROTOCOL_ERROR",
    "INTERNAL_ERROR",
    "FLOW_CONTROL_ERROR",
    "SETTINGS_TIMEOUT",
    "STREAM_CLOSED",
    "FRAME_SIZE_ERROR",
    "REFUSED_STREAM",
    "CANCEL",
    "COMPRESSION_ERROR",
    "CONNECT_ERROR",
    "ENHANCE_YOUR_CALM",
]
"""Section 7, by their numbers."""

GET = (
    (b":method", b"GET"),
    (b":scheme", b"https"),
    (b":authority", b"lab.example.org"),
    (b":path", b"/"),
)


class RawFrame(NamedTuple):
    """One frame."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """A frame as bytes."""
    head = len(payload).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + payload


def frames_in(data: bytes) -> tuple[list[RawFrame], bytes]:
    """Every whole frame, and the bytes of one that is not."""
    found = []
    while len(data) >= 9 and len(data) >= (end := 9 + int.from_bytes(data[:3], "big")):
        stream = int.from_bytes(data[5:9], "big")
        found.append(RawFrame(data[3], data[4], stream, data[9:end]))
        data = data[end:]
    return found, data


def number(value: int, prefix_bits: int = 7, first: int = 0) -> bytes:
    """An integer as HPACK writes it (RFC 7541 section 5.1)."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([first | value])
    encoded = bytes([first | most])
    value -= most
    while value >= 128:
        encoded += bytes([value % 128 + 128])
        value //= 128
    return encoded + bytes([value])


def literal(name: bytes, value: bytes, first: int = 0) -> bytes:
    """A field without indexing, or with it if ``first`` is 0x40 (RFC 7541 section 6.2)."""
    return bytes([first]) + number(len(name)) + name + number(len(value)) + value


def block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """A header block of literals."""
    return b"".join(literal(name, value) for name, value in fields)


def headers(stream: int, fields: Iterable[tuple[bytes, bytes]] = GET, *, end: bool = True) -> bytes:
    """A HEADERS frame with the whole block."""
    return frame(HEADERS, END_HEADERS | (END_STREAM if end else 0), stream, block(fields))


def get(stream: int, path: bytes = b"/", *fields: tuple[bytes, bytes]) -> bytes:
    """A request without content."""
    return headers(stream, (*GET[:3], (b":path", path), *fields))


def data(stream: int, content: bytes, *, end: bool = False) -> bytes:
    """A DATA frame."""
    return frame(DATA, END_STREAM if end else 0, stream, content)


def settings(*pairs: tuple[int, int]) -> bytes:
    """A SETTINGS frame."""
    payload = b"".join(key.to_bytes(2, "big") + value.to_bytes(4, "big") for key, value in pairs)
    return frame(SETTINGS, 0, 0, payload)


def window_update(stream: int, increment: int) -> bytes:
    """A WINDOW_UPDATE frame."""
    return frame(WINDOW_UPDATE, 0, stream, increment.to_bytes(4, "big"))


def rst_stream(stream: int, code: str = "CANCEL") -> bytes:
    """A RST_STREAM frame."""
    return frame(RST_STREAM, 0, stream, ERRORS.index(code).to_bytes(4, "big"))


def ping(opaque: bytes = b"12345678") -> bytes:
    """A PING frame."""
    return frame(PING, 0, 0, opaque)


def priority_update(stream: int, value: bytes) -> bytes:
    """A PRIORITY_UPDATE frame (RFC 9218 section 7.1)."""
    return frame(PRIORITY_UPDATE, 0, 0, stream.to_bytes(4, "big") + value)


def goaway(code: str = "NO_ERROR") -> bytes:
    """A GOAWAY frame."""
    return frame(GOAWAY, 0, 0, bytes(4) + ERRORS.index(code).to_bytes(4, "big"))
