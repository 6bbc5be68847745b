"""Messages: fragments, control frames between them, compression, bounds."""

from __future__ import annotations

import struct
import tracemalloc
import zlib
from collections.abc import Iterable

import pytest

from proxy.inspector.frames import Opcode
from proxy.inspector.websocket_messages import (
    MAX_INFLATED_BYTES,
    MessageReader,
    negotiated_deflate,
)

from .test_frames import frame_bytes


class Deflater:
    """Compresses as a sender does (RFC 7692 section 7.2.1)."""

    def __init__(self) -> None:
        self._window = zlib.compressobj(wbits=-zlib.MAX_WBITS)

    def __call__(self, payload: bytes) -> bytes:
        data = self._window.compress(payload) + self._window.flush(zlib.Z_SYNC_FLUSH)
        return data.removesuffix(b"\x00\x00\xff\xff")


def test_fragments_with_a_ping_between() -> None:
    reader = MessageReader()
    messages = list(
        reader.feed(
            frame_bytes(b"ab", final=False)
            + frame_bytes(b"p", Opcode.PING)
            + frame_bytes(b"cd", Opcode.CONTINUATION)
        )
    )
    assert [(m.opcode, m.frames, m.length, m.content) for m in messages] == [
        (Opcode.PING, 1, 1, b"p"),
        (Opcode.TEXT, 2, 4, b"abcd"),
    ]


@pytest.mark.parametrize(
    ("payload", "code"), [(b"", 0), (struct.pack("!H", 1012) + b"bye", 1012), (b"x", 0)]
)
def test_close_codes(payload: bytes, code: int) -> None:
    (message,) = MessageReader().feed(frame_bytes(payload, Opcode.CLOSE))
    assert message.close_code == code


def test_the_window_goes_on_from_message_to_message() -> None:
    deflate, reader = Deflater(), MessageReader(deflate=True)
    text = b'{"header": {"msg_type": "status"}}' * 3
    first, second = deflate(text), deflate(text)
    assert len(second) < len(first) / 2
    data = frame_bytes(first, rsv1=True, mask=b"mask") + frame_bytes(second, rsv1=True)
    assert [m.content for m in reader.feed(data)] == [text, text]


def test_compressed_fragments() -> None:
    data = Deflater()(b"hello " * 100)
    frames = frame_bytes(data[:5], final=False, rsv1=True) + frame_bytes(
        data[5:], Opcode.CONTINUATION
    )
    (message,) = MessageReader(deflate=True).feed(frames)
    assert (message.content, message.whole, message.length) == (b"hello " * 100, True, len(data))


def test_a_message_in_clear_beside_compressed_ones() -> None:
    (message,) = MessageReader(deflate=True).feed(frame_bytes(b"plain"))
    assert message.content == b"plain"


def test_a_bomb_is_not_inflated() -> None:
    deflate, reader = Deflater(), MessageReader(deflate=True, max_bytes=100)
    bomb = deflate(bytes(MAX_INFLATED_BYTES + 1024 * 1024))
    (message,) = reader.feed(frame_bytes(bomb, rsv1=True))
    assert (len(message.content), message.whole) == (100, False)
    (after,) = reader.feed(frame_bytes(deflate(b"after"), rsv1=True))
    assert (after.content, after.whole) == (b"", False)


def held_bytes(reader: MessageReader, frames: Iterable[bytes]) -> int:
    """The most that a reader holds while these pass."""
    tracemalloc.start()
    for frame in frames:
        for start in range(0, len(frame), 16384):
            list(reader.feed(frame[start : start + 16384]))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_what_is_held_of_a_compressed_message_is_bounded() -> None:
    reader, piece = MessageReader(deflate=True), bytes(6 * 1024 * 1024)
    begun = frame_bytes(piece, final=False, rsv1=True)
    went_on = frame_bytes(piece, Opcode.CONTINUATION)
    assert held_bytes(reader, [begun, went_on]) < 6 * 1024 * 1024
    # From then on nothing can be inflated, and so as little is kept as of a message in clear.
    another = frame_bytes(bytes(1024 * 1024), rsv1=True)
    assert held_bytes(reader, [another] * 2) < 512 * 1024


def test_what_is_not_deflated_ends_the_decompression() -> None:
    (message,) = MessageReader(deflate=True).feed(frame_bytes(b"\xff\xff\xff", rsv1=True))
    assert (message.content, message.whole) == (b"", False)


def test_a_compressed_frame_that_nobody_negotiated_is_not_shown() -> None:
    (message,) = MessageReader().feed(frame_bytes(b"abc", rsv1=True))
    assert (message.content, message.whole, message.length) == (b"", False, 3)


def test_a_long_message_is_cut() -> None:
    (message,) = MessageReader(max_bytes=3).feed(
        frame_bytes(b"ab", final=False) + frame_bytes(b"cdef", Opcode.CONTINUATION)
    )
    assert (message.content, message.whole, message.length) == (b"abc", False, 6)


@pytest.mark.parametrize(
    ("values", "on"),
    [
        ([], False),
        ([b"permessage-deflate; client_max_window_bits=15"], True),
        ([b"x-other", b"x, permessage-deflate"], True),
        ([b"x-permessage-deflate"], False),
    ],
)
def test_negotiation(values: list[bytes], on: bool) -> None:
    assert negotiated_deflate(values) is on
