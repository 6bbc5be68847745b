"""What a worker captures reaches its supervisor's ring, and ends there when the worker does."""

from __future__ import annotations

import json
from typing import Any

from proxy.inspector.exchange import CapturedContent, CapturedMessage, Exchange
from proxy.inspector.filters import parse_filter
from proxy.inspector.recorded_tunnel import MAX_MESSAGES
from proxy.inspector.remote import CapturedElsewhere, CapturedHere
from proxy.inspector.ring import Ring
from proxy.workers.channel import MAX_MESSAGE_BYTES
from tests.inspector.exchanges import exchange


async def test_no_batch_is_too_long_for_a_channel() -> None:
    """Content that JSON takes six octets for each of, in one turn."""
    here, there = Ring(), Ring()
    elsewhere = CapturedElsewhere(there)
    sent: list[int] = []

    def send(batch: list[dict[str, Any]]) -> None:
        line = json.dumps({"exchanges": batch})
        sent.append(len(line))
        elsewhere.take("a worker", json.loads(line)["exchanges"])

    captured = CapturedHere(here, send)
    text, number = "\x01" * 512 * 1024, 8
    for _ in range(number):
        here.add(exchange(content_down=CapturedContent(text, len(text), whole=True)))
    captured._flush()
    assert max(sent) < MAX_MESSAGE_BYTES / 4 < sum(sent)
    assert [one.number for one in there] == [*range(1, number + 1)]


def opened(number: int) -> dict[str, Any]:
    (details,) = passed([exchange(target="/socket", number=number, open=True).details()])
    return details


def passed(batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As it arrives at the other end of a channel."""
    return list(json.loads(json.dumps(batch)))


def shown(ring: Ring, words: str) -> list[Exchange]:
    return [one for one in ring if parse_filter(words)(one)]


def test_what_was_open_ends_with_its_process() -> None:
    ring = Ring()
    told: list[Exchange] = []
    ring.listen(told.append)
    elsewhere = CapturedElsewhere(ring)
    first, other = object(), object()
    for process in (first, other):
        elsewhere.take(process, [opened(1), opened(2)])
    elsewhere.take(first, [opened(1) | {"open": False, "status": 101}])
    told.clear()
    elsewhere.ended(first)
    elsewhere.ended(first)
    (ended,) = told
    assert (ended.number, ended.open, ended.outcome) == (2, False, "its worker process ended")
    assert ended.times.last_octet is not None
    assert [one.number for one in shown(ring, "is:open")] == [3, 4]


def test_a_process_of_later_has_other_exchanges() -> None:
    """It may have the same id, and counts from 1 again."""
    ring = Ring()
    elsewhere = CapturedElsewhere(ring)
    assert elsewhere.take(7, [opened(1)]) == [1]
    elsewhere.ended(7)
    assert elsewhere.take(7, [opened(1)]) == [2]
    assert [one.open for one in ring] == [False, True]


def test_what_had_to_go_is_not_missed() -> None:
    ring = Ring(max_exchanges=1)
    elsewhere = CapturedElsewhere(ring)
    elsewhere.take("a worker", [opened(1), opened(2)])
    elsewhere.ended("a worker")
    assert [(one.number, one.open) for one in ring] == [(2, False)]


async def test_what_had_to_go_in_the_worker_is_told_to_its_end() -> None:
    """A worker keeps little, and its supervisor much: a WebSocket outlives a thousand requests."""
    there = Ring()
    elsewhere = CapturedElsewhere(there)

    def send(batch: list[dict[str, Any]]) -> None:
        elsewhere.take("a worker", passed(batch))

    here = Ring(max_exchanges=1, relays=True)
    captured = CapturedHere(here, send)
    websocket = exchange(websocket=True, open=True)
    here.add(websocket)
    here.add(exchange())
    captured._flush()
    websocket.messages.append(CapturedMessage(0.0, up=True, kind="text", frames=1, octets=1))
    here.grow(websocket, 1)
    captured._flush()
    (shown, _) = there
    assert (shown.open, len(shown.messages)) == (True, 1)
    websocket.open = False
    here.update(websocket)
    captured._flush()
    (shown, _) = there
    assert (shown.open, len(shown.messages)) == (False, 1)


async def test_only_new_messages_of_a_websocket_are_sent() -> None:
    """All that are kept of one kernel may be megabytes, five times a second."""
    here, there = Ring(), Ring()
    elsewhere = CapturedElsewhere(there)
    batches: list[int] = []

    def send(batch: list[dict[str, Any]]) -> None:
        elsewhere.take("a worker", passed(batch))
        batches.append(len(batch[0]["messages"]))

    captured = CapturedHere(here, send)
    websocket = exchange(websocket=True, open=True)
    here.add(websocket)
    captured._flush()
    assert batches.pop() == 0
    said = 0
    for more, sent in ((3, 3), (0, 0), (MAX_MESSAGES - 1, MAX_MESSAGES - 1), (1000, MAX_MESSAGES)):
        websocket.messages += [
            CapturedMessage(float(said + n), up=True, kind="text", frames=1, octets=1)
            for n in range(more)
        ]
        said += more
        websocket.messages = websocket.messages[-MAX_MESSAGES:]
        websocket.messages_dropped = said - len(websocket.messages)
        here.update(websocket)
        captured._flush()
        assert batches.pop() == sent
        (shown,) = there
        assert [one.at for one in shown.messages] == [one.at for one in websocket.messages]
        assert shown.messages_dropped == websocket.messages_dropped
    websocket.open = False
    here.update(websocket)
    captured._flush()
    assert batches.pop() == 0
    assert [len(one.messages) for one in there if not one.open] == [MAX_MESSAGES]
