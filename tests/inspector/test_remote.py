"""What a worker captures reaches its supervisor's ring, and ends there when the worker does."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from proxy.inspector.exchange import CapturedContent, CapturedMessage, Exchange
from proxy.inspector.filters import parse_filter
from proxy.inspector.remote import CapturedElsewhere, CapturedHere
from proxy.inspector.ring import Ring
from proxy.workers.channel import MAX_MESSAGE_BYTES
from tests.inspector.exchanges import exchange


async def test_no_batch_is_too_long_for_a_channel() -> None:
    """Content that JSON takes six octets for each of, in one turn."""
    here, there = Ring(), Ring()
    elsewhere = CapturedElsewhere(there)
    sent: list[int] = []
    done = asyncio.Event()

    def send(batch: list[dict[str, Any]]) -> None:
        line = json.dumps({"exchanges": batch})
        sent.append(len(line))
        elsewhere.take("a worker", json.loads(line)["exchanges"])
        if len(there) == number:
            done.set()

    CapturedHere(here, send)
    text, number = "\x01" * 512 * 1024, 8
    for _ in range(number):
        here.add(exchange(content_down=CapturedContent(text, len(text), whole=True)))
    async with asyncio.timeout(10):
        await done.wait()
    assert max(sent) < MAX_MESSAGE_BYTES / 4 < sum(sent)
    assert [one.number for one in there] == [*range(1, number + 1)]


def opened(number: int) -> dict[str, Any]:
    details = exchange(target="/socket", number=number, open=True).details()
    return dict(json.loads(json.dumps(details)))


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
    sent = asyncio.Event()

    def send(batch: list[dict[str, Any]]) -> None:
        elsewhere.take("a worker", json.loads(json.dumps(batch)))
        sent.set()

    here = Ring(max_exchanges=1, relays=True)
    CapturedHere(here, send)
    websocket = exchange(websocket=True, open=True)
    here.add(websocket)
    here.add(exchange())
    await sent.wait()
    sent.clear()
    websocket.messages.append(CapturedMessage(0.0, up=True, kind="text", frames=1, octets=1))
    here.grow(websocket, 1)
    websocket.open = False
    here.update(websocket)
    async with asyncio.timeout(10):
        await sent.wait()
    (ended, _) = there
    assert (ended.open, len(ended.messages)) == (False, 1)
