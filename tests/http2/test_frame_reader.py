from __future__ import annotations

import pytest

from proxy.http2.frame_reader import FrameHeader, FrameReader
from tests.http2 import frames

SENT = (
    frames.settings((4, 1)),
    frames.get(1),
    frames.data(1, b"x" * 300),
    frames.frame(0xFA, 3, 0, b"unknown"),
    frames.ping(),
)
FOUND = [
    FrameHeader(4, 0, 6),
    FrameHeader(1, 5, len(SENT[1]) - 9),
    FrameHeader(0, 0, 300),
    FrameHeader(0xFA, 3, 7),
    FrameHeader(6, 0, 8),
]


@pytest.mark.parametrize("size", [1, 2, 7, 9, 24, 100, 10_000])
def test_every_frame_is_found_however_the_bytes_are_cut(size: int) -> None:
    reader = FrameReader()
    sent = frames.PREFACE + b"".join(SENT)
    found = []
    for start in range(0, len(sent), size):
        found += reader.read(sent[start : start + size])
    assert found == FOUND
    assert not reader.within_head


def test_the_bytes_of_a_header_block_are_counted() -> None:
    reader = FrameReader()
    reader.read(frames.PREFACE + frames.frame(1, 0, 1, b"x" * 300))
    assert reader.block_bytes == 300
    reader.read(frames.frame(9, 0, 1, b"x" * 20) + frames.frame(9, 0, 1, b"x" * 5000)[:9])
    assert reader.block_bytes == 5320, "with what is still coming"
    reader.read(b"x" * 5000 + frames.data(1, b"x" * 9))
    assert reader.block_bytes == 5320
    reader.read(frames.frame(1, 4, 3, b"x" * 40))
    assert reader.block_bytes == 40


WITHIN = [
    pytest.param(frames.get(1)[:20], True, id="in the middle of a head"),
    pytest.param(frames.get(1), False, id="a whole head"),
    pytest.param(frames.frame(1, 0, 1, b"x"), True, id="without END_HEADERS"),
    pytest.param(
        frames.frame(1, 0, 1, b"x") + frames.frame(9, 0, 1, b"x"), True, id="nor behind it"
    ),
    pytest.param(
        frames.frame(1, 0, 1, b"x") + frames.frame(9, 4, 1, b"x"), False, id="END_HEADERS behind it"
    ),
    pytest.param(frames.data(1, b"xxxx")[:11], False, id="in the middle of content"),
    pytest.param(frames.data(1, b"xxxx")[:8], True, id="in the middle of a frame's header"),
]


@pytest.mark.parametrize(("sent", "within"), WITHIN)
def test_a_head_that_is_not_finished(sent: bytes, within: bool) -> None:
    reader = FrameReader()
    reader.read(frames.PREFACE)
    reader.read(sent)
    assert reader.within_head is within
