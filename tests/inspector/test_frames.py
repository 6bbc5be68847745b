"""Frames in any pieces, masked or not, long or short."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.inspector.frames import Frame, FrameParser, Opcode, unmask


def frame_bytes(
    payload: bytes,
    opcode: int = Opcode.TEXT,
    *,
    final: bool = True,
    mask: bytes = b"",
    rsv1: bool = False,
) -> bytes:
    """A frame as it is sent (RFC 6455 section 5.2)."""
    first = (0x80 if final else 0) | (0x40 if rsv1 else 0) | opcode
    bit = 0x80 if mask else 0
    size = len(payload)
    if size < 126:
        head = bytes([first, bit | size])
    elif size < 1 << 16:
        head = bytes([first, bit | 126]) + size.to_bytes(2, "big")
    else:
        head = bytes([first, bit | 127]) + size.to_bytes(8, "big")
    return head + mask + unmask(payload, mask)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65_535, 65_536, 70_000])
@pytest.mark.parametrize("mask", [b"", b"\x01\x02\x03\x04"])
def test_every_form_of_length(size: int, mask: bytes) -> None:
    payload = os.urandom(size)
    (frame,) = FrameParser(1 << 20).feed(frame_bytes(payload, Opcode.BINARY, mask=mask))
    assert frame == Frame(Opcode.BINARY, True, False, size, payload)


def test_only_the_beginning_of_a_long_payload_is_kept() -> None:
    parser = FrameParser(4)
    frames = list(parser.feed(frame_bytes(b"abcdefgh", mask=b"wxyz") + frame_bytes(b"ij")))
    assert [(frame.payload, frame.length, frame.is_whole) for frame in frames] == [
        (b"abcd", 8, False),
        (b"ij", 2, True),
    ]


def test_flags() -> None:
    (frame,) = FrameParser(10).feed(frame_bytes(b"x", final=False, rsv1=True))
    assert (frame.final, frame.compressed, frame.is_control) == (False, True, False)
    (frame,) = FrameParser(10).feed(frame_bytes(b"", Opcode.PING))
    assert frame.is_control


@given(
    st.lists(
        st.tuples(
            st.binary(max_size=300), st.sampled_from([b"", b"abcd"]), st.sampled_from(Opcode)
        ),
        max_size=6,
    ),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_pieces_make_no_difference(
    frames: list[tuple[bytes, bytes, Opcode]], sizes: list[int]
) -> None:
    data = b"".join(frame_bytes(payload, opcode, mask=mask) for payload, mask, opcode in frames)
    found: list[Frame] = []
    parser, turn = FrameParser(1 << 20), 0
    while data:
        size = sizes[turn % len(sizes)]
        found += parser.feed(data[:size])
        data, turn = data[size:], turn + 1
    assert [(frame.opcode, frame.payload) for frame in found] == [
        (opcode, payload) for payload, _, opcode in frames
    ]
