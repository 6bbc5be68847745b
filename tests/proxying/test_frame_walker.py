"""Where frames end, in pieces of any size, and which pongs are left out."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.inspector.frames import unmask
from proxy.proxying.frame_walker import FrameWalker, ping

MASK = b"\x01\x80\xff\x7f"
OURS = b"12345678"


def frame(first: int, payload: bytes, mask: bytes = b"") -> bytes:
    """A frame with this first byte."""
    size, masked = len(payload), 0x80 if mask else 0
    if size < 126:
        head = struct.pack("!BB", first, masked | size)
    elif size < 2**16:
        head = struct.pack("!BBH", first, masked | 126, size)
    else:
        head = struct.pack("!BBQ", first, masked | 127, size)
    return head + mask + unmask(payload, mask)


def test_only_the_beginning_of_a_pong_of_ours_is_held_back() -> None:
    """Whatever else a client sends goes on at once, however little of it has come."""
    pong = frame(0x8A, OURS, MASK)
    for data, held in (
        (pong[:1], pong[:1]),
        (pong[:13], pong[:13]),
        (frame(0x8A, b"hi", MASK), b""),
        (frame(0x8A, b"", MASK), b""),
        (frame(0x81, OURS, MASK)[:5], b""),
        (frame(0x81, b"hi", MASK) + frame(0x8A, b"hi", MASK), b""),
        (frame(0x81, b"hi", MASK) + pong[:4], pong[:4]),
    ):
        walker = FrameWalker(masked=True)
        assert walker.without_pongs(data, [OURS]) == data.removesuffix(held)
        assert walker.held == held


FIRST = st.sampled_from([0x81, 0x82, 0x01, 0x00, 0x80, 0xC1, 0x41, 0x89, 0x8A])


@st.composite
def frames(draw: st.DrawFn, mask: bytes) -> list[bytes]:
    found = []
    for _ in range(draw(st.integers(0, 6))):
        first = draw(FIRST)
        sizes = st.sampled_from([0, 1, 8, 121, 122, 125, 126, 127, 300, 65535, 65536])
        size = draw(st.integers(0, 125) if first & 8 else sizes)
        found.append(frame(first, bytes([draw(st.integers(0, 255))]) * size, mask))
    return found


def cut(data: bytes, places: list[int]) -> list[bytes]:
    at = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[one:other] for one, other in pairwise(at)]


PLACES = st.lists(st.integers(0, 2**20), max_size=8)


@pytest.mark.parametrize("mask", [b"", MASK])
@given(data=st.data(), places=PLACES)
def test_it_knows_after_each_piece_whether_a_frame_has_ended(
    mask: bytes, data: st.DataObject, places: list[int]
) -> None:
    whole = data.draw(frames(mask))
    ends, end = {0}, 0
    for one in whole:
        end += len(one)
        ends.add(end)
    walker, at = FrameWalker(masked=bool(mask)), 0
    for piece in cut(b"".join(whole), places):
        walker.walk(piece)
        at += len(piece)
        assert walker.between_frames == (at in ends), at
        assert not walker.lost


@given(data=st.data(), places=PLACES)
def test_the_pongs_are_left_out_wherever_they_come(data: st.DataObject, places: list[int]) -> None:
    whole = data.draw(frames(MASK))
    where = data.draw(st.lists(st.integers(0, len(whole)), max_size=2))
    payloads = [OURS, b"abcdefgh"][: len(where)]
    sent = list(whole)
    for at, payload in zip(sorted(where, reverse=True), payloads, strict=True):
        sent.insert(at, frame(0x8A, payload, b"\0\x11\x22\x33"))
    walker, passed, left = FrameWalker(masked=True), b"", list(payloads)
    octets = b"".join(sent)
    for piece in cut(octets, places):
        passed += walker.without_pongs(piece, left)
        assert len(walker.held) < 14
    assert passed + walker.held == b"".join(whole)
    assert left == []
    assert walker.between_frames


@given(data=st.data(), places=PLACES, turns=st.lists(st.booleans(), min_size=10, max_size=10))
def test_other_pongs_pass_and_pings_may_begin_in_a_frame(
    data: st.DataObject, places: list[int], turns: list[bool]
) -> None:
    octets = b"".join([*data.draw(frames(MASK)), frame(0x8A, b"another.", MASK)])
    walker, passed = FrameWalker(masked=True), b""
    for piece, filtered in zip(cut(octets, places), turns, strict=False):
        if filtered or walker.held:
            passed += walker.without_pongs(piece, [OURS])
        else:
            walker.walk(piece)
            passed += piece
    assert passed + walker.held == octets


@pytest.mark.parametrize("mask", [b"", MASK])
@pytest.mark.parametrize("size", [0, 5, 125, 126, 300])
def test_a_few_bytes_less_or_more_are_no_whole_frame(mask: bytes, size: int) -> None:
    whole, after = frame(0x82, bytes(size), mask), frame(0x82, bytes(20), mask)
    for more in range(1 - min(9, len(whole)), 9):
        walker = FrameWalker(masked=bool(mask))
        walker.walk((whole + after)[: len(whole) + more])
        assert walker.between_frames == (more == 0), more


PIECES = [
    pytest.param(b"", [b"\x82\x64\x08" + bytes(7)], False, id="content as a length of 7 bits"),
    pytest.param(b"", [b"\x82\x64\0\x06" + bytes(6)], False, id="content as one of 16 bits"),
    pytest.param(b"", [frame(0x82, b"\x10" * 300)[: 4 + 0x110]], False, id="as the half of one"),
    pytest.param(b"", [frame(0x82, bytes(300))[: 4 + 44]], False, id="the low half alone"),
    pytest.param(b"", [frame(0x82, bytes(513))[: 4 + 0x101]], False, id="the low half twice"),
    pytest.param(
        b"",
        [frame(0x82, bytes(257)) + frame(0x82, bytes(900))[:256]],
        False,
        id="the high half twice as high",
    ),
    pytest.param(MASK, [frame(0x82, bytes(300), MASK)[:8]], False, id="a header alone"),
    pytest.param(b"", [frame(0x89, bytes(125))], True, id="the longest ping"),
    pytest.param(b"", [b"\x82\x7f\0\x01\0"], False, id="the half of a header"),
    pytest.param(
        b"",
        [frame(0x81, b"") + frame(0x01, b"") + frame(0x80, bytes(900))[:256]],
        False,
        id="an empty frame and others",
    ),
    pytest.param(
        b"", [frame(0x82, bytes(10))[:2], b"\x82\x08" + bytes(8)], True, id="content as a frame"
    ),
]


@pytest.mark.parametrize(("mask", "pieces", "ended"), PIECES)
def test_only_the_length_says_where_a_frame_ends(
    mask: bytes, pieces: list[bytes], ended: bool
) -> None:
    walker = FrameWalker(masked=bool(mask))
    for piece in pieces:
        walker.walk(piece)
    assert walker.between_frames is ended


LOSING = [
    pytest.param(False, frame(0x81, b"x", MASK), id="masked by the server"),
    pytest.param(True, frame(0x81, b"x"), id="not masked by the client"),
    pytest.param(False, frame(0x81, OURS, MASK)[:-4], id="masked, as long as if it were not"),
    pytest.param(False, frame(0x81, OURS * 40, MASK)[:-4], id="the same with 16 bits of length"),
    pytest.param(True, frame(0x81, OURS) + MASK, id="not masked, as long as if it were"),
    pytest.param(True, frame(0x81, OURS * 40) + MASK, id="also the same with 16 bits"),
    pytest.param(False, b"\x89\x7e\x00\x80", id="a control frame that is long"),
    pytest.param(False, frame(0x8B, b""), id="an opcode that is reserved"),
    pytest.param(False, b"\x82\x7f" + b"\xff" * 8, id="a length of 64 bits that is negative"),
    pytest.param(False, frame(0x88, b"\x03\xe8"), id="a close frame"),
]


@pytest.mark.parametrize(("masked", "octets"), LOSING)
def test_it_is_lost_for_good(masked: bool, octets: bytes) -> None:
    for size in (len(octets), 1):
        walker = FrameWalker(masked=masked)
        for start in range(0, len(octets), size):
            walker.walk(octets[start : start + size])
        assert walker.lost
        walker.walk(b"x" * 100_000)
        assert not walker.between_frames
        assert walker.without_pongs(frame(0x8A, OURS, MASK), [OURS]) == frame(0x8A, OURS, MASK)


def test_a_ping_is_a_whole_frame() -> None:
    walker = FrameWalker(masked=False)
    walker.walk(ping(OURS))
    assert walker.between_frames
    assert ping(OURS) == frame(0x89, OURS)
