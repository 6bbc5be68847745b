from __future__ import annotations

from dataclasses import dataclass

import pytest

from proxy.http2.priorities import (
    DEFAULT_PRIORITY,
    LARGE_BYTES,
    MAX_FIELD_BYTES,
    SHORT_BYTES,
    Priority,
    PriorityUpdate,
    parse_priority,
    parse_priority_update,
    send_rank,
)

FIELDS = [
    (b"", 3, False),
    (b"u=0", 0, False),
    (b"u=7, i", 7, True),
    (b"i", 3, True),
    (b"i=?1", 3, True),
    (b"i, i=?0", 3, False),
    (b"u=1,i", 1, True),
    (b"u=1;x=y ,\ti;z", 1, True),
    (b"u=1, u=5", 5, False),
    (b"u=8", 3, False),
    (b"u=-1, i", 3, True),
    (b"u=12", 3, False),
    (b"U=1", 3, False),
    (b"u = 1", 3, False),
    (b"i=1", 3, False),
    (b"q=1, foo, u=2", 2, False),
    (b"\xff\x00,u=2", 2, False),
    (b"u=1," + b" " * MAX_FIELD_BYTES, 3, False),
]


@pytest.mark.parametrize(("value", "urgency", "incremental"), FIELDS)
def test_priority_field(value: bytes, urgency: int, incremental: bool) -> None:
    assert parse_priority(value) == Priority(urgency, incremental)


UPDATES = [
    (b"\0\0\0\x05u=1", PriorityUpdate(5, Priority(1))),
    (b"\x80\0\0\x05i", PriorityUpdate(5, Priority(3, True))),
    (b"\0\0\0\x07", PriorityUpdate(7, DEFAULT_PRIORITY)),
    (b"\0\0\0\0u=1", None),
    (b"\0\0\x05", None),
    (b"", None),
]


@pytest.mark.parametrize(("payload", "update"), UPDATES)
def test_priority_update(payload: bytes, update: PriorityUpdate | None) -> None:
    assert parse_priority_update(payload) == update


@dataclass
class Response:
    id: int
    priority: Priority = DEFAULT_PRIORITY
    queued_bytes: int = 2 * SHORT_BYTES
    response_ended: bool = False
    sent_bytes: int = 0
    turn: int = 0


ORDERS = [
    pytest.param([Response(3), Response(5)], id="as they were asked for"),
    pytest.param([Response(5, Priority(1)), Response(3)], id="urgent first"),
    pytest.param(
        [Response(5, queued_bytes=SHORT_BYTES, response_ended=True), Response(3)], id="short first"
    ),
    pytest.param(
        [Response(5, Priority(2)), Response(3, queued_bytes=10, response_ended=True)],
        id="urgent before short",
    ),
    pytest.param([Response(3), Response(5, queued_bytes=10)], id="short only if that is all of it"),
    pytest.param(
        [Response(5, Priority(3, True), turn=1), Response(3, Priority(3, True), turn=2)],
        id="incremental ones in turns",
    ),
    pytest.param([Response(3, turn=9), Response(5, turn=1)], id="the others to their end"),
    pytest.param(
        [Response(3, turn=9), Response(5, Priority(3, True), turn=1)],
        id="before incremental ones that came later",
    ),
    pytest.param(
        [Response(5, Priority(6)), Response(3, Priority(0), sent_bytes=LARGE_BYTES)],
        id="large ones last, however urgent",
    ),
    pytest.param(
        [
            Response(5, sent_bytes=LARGE_BYTES, turn=1),
            Response(3, sent_bytes=LARGE_BYTES, turn=2),
        ],
        id="large ones in turns",
    ),
    pytest.param(
        [
            Response(5, Priority(6), sent_bytes=LARGE_BYTES, turn=1),
            Response(3, Priority(0), sent_bytes=LARGE_BYTES, turn=2),
        ],
        id="large ones in turns, however urgent",
    ),
]


@pytest.mark.parametrize("responses", ORDERS)
def test_what_is_sent_first(responses: list[Response]) -> None:
    backwards = responses[::-1]
    assert sorted(backwards, key=send_rank) == responses
