from __future__ import annotations

from h2.errors import ErrorCodes

from proxy.http2.settings import (
    CONNECTION_WINDOW_BYTES,
    DEFAULT_WINDOW_BYTES,
    HEADER_TABLE_BYTES,
    MAX_STREAMS,
    STREAM_WINDOW_BYTES,
    begin,
    bound_header_table,
    go_away,
    header_list_bytes,
)
from proxy.net.limits import DEFAULT_LIMITS
from tests.http2 import frames


def announced() -> tuple[dict[int, int], list[frames.RawFrame]]:
    _, greeting = begin(DEFAULT_LIMITS)
    (first, *others), rest = frames.frames_in(greeting)
    assert first.kind == frames.SETTINGS
    assert rest == b""
    pairs = [first.payload[at : at + 6] for at in range(0, len(first.payload), 6)]
    return {int.from_bytes(one[:2], "big"): int.from_bytes(one[2:], "big") for one in pairs}, others


def test_what_a_client_is_told() -> None:
    told, others = announced()
    assert told == {
        3: MAX_STREAMS,
        4: STREAM_WINDOW_BYTES,
        6: header_list_bytes(DEFAULT_LIMITS),
        9: 1,
    }
    opened = CONNECTION_WINDOW_BYTES - DEFAULT_WINDOW_BYTES
    assert others == [
        frames.RawFrame(frames.WINDOW_UPDATE, 0, 0, opened.to_bytes(4, "big")),
    ]


def test_extended_connect_is_not_announced() -> None:
    assert 8 not in announced()[0], "RFC 8441: browsers would open WebSockets over HTTP/2"


def test_the_table_of_response_fields_stays_small() -> None:
    codec, _ = begin(DEFAULT_LIMITS)
    codec.receive_data(frames.PREFACE + frames.settings((1, 2**31)))
    assert codec.encoder.header_table_size == 2**31
    bound_header_table(codec)
    assert codec.encoder.header_table_size == HEADER_TABLE_BYTES


def test_go_away_leaves_the_streams_open() -> None:
    codec, _ = begin(DEFAULT_LIMITS)
    codec.receive_data(frames.PREFACE + frames.settings() + frames.get(5))
    (frame,), _ = frames.frames_in(go_away(codec, ErrorCodes.ENHANCE_YOUR_CALM))
    assert frame == frames.RawFrame(frames.GOAWAY, 0, 0, b"\0\0\0\x05\0\0\0\x0b")
    codec.send_headers(5, [(":status", "200")], end_stream=True)
