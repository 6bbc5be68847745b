"""What the recording of a request is told: as little as the usual request allows."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.messages import Responder
from proxy.observe.record import Observers, Record
from proxy.proxying.router import Router
from proxy.rules.decide import HEALTH_PATH
from proxy.rules.decision import Refuse
from proxy.rules.head import Field
from tests.proxying.memory_front import MemoryFront
from tests.proxying.test_messages import SWITCH, WEBSOCKET, proxying
from tests.upstreams import OK, says


class Notes:
    """Notes what it is told (``observe.record.Recording``), and the record and responder of it."""

    def __init__(self, *, watching: bool) -> None:
        self.watching = watching
        self.told: list[str] = []
        self.records: list[Record] = []
        self.responders: list[Responder] = []

    def _note(self, what: str, record: Record) -> None:
        self.told.append(what)
        self.records.append(record)

    def watch(self, record: Record, responder: Responder) -> Responder:
        self._note("watch", record)
        self.responders.append(responder)
        return responder

    def refused(self, record: Record, refusal: Refuse) -> None:
        self._note(f"refused by {refusal.rule}", record)

    def dialling(self, record: Record) -> None:
        self._note("dialling", record)

    def dialled(self, record: Record) -> None:
        self._note("dialled", record)

    def show(self, record: Record) -> None:
        self._note("show", record)

    def finish(self, record: Record) -> None:
        self._note("finish", record)


PLAIN = ["dialling", "dialled", "finish"]
WATCHED = ["dialling", "dialled", "watch", "finish"]
UNUSUAL = ["watch", "dialling", "dialled", "finish"]
FOREIGN: Field = (b"Origin", b"https://evil.example")


def says_status(status: int) -> bytes:
    return b"HTTP/1.1 %d Any\r\nContent-Length: 0\r\n\r\n" % status


async def told(
    answer: bytes,
    *fields: Field,
    target: bytes = b"/x",
    watching: bool = False,
    observe: bool = False,
) -> list[str]:
    """What the recording of one request was told; always of its record and its client."""
    notes = Notes(watching=watching)

    def capture(record: Record) -> None:
        record.recording = notes

    async with proxying(says(answer, close=True)) as (dispatcher, _, _):
        records: list[Record] = []
        dispatcher.services.observers = Observers(start=(capture,), end=(records.append,))
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.use(replace(router.site, observe=observe))
        router.web_app = replace(router.web_app, pool=router.jupyter.pool)
        client = MemoryFront(*fields, target=target)
        client.ask(dispatcher)
        await client.ended
    (record,) = records
    assert all(one is record for one in notes.records)
    assert all(one is client for one in notes.responders)
    return notes.told


@pytest.mark.parametrize(
    ("status", "watching", "expected"),
    [
        pytest.param(200, False, PLAIN, id="the record has all of it"),
        pytest.param(399, False, PLAIN, id="its content gives no reason"),
        pytest.param(400, False, WATCHED, id="its content may say why"),
        pytest.param(200, True, WATCHED, id="content is wanted as well"),
    ],
)
async def test_a_response_of_jupyters_is_watched_if_its_content_is_wanted(
    status: int, watching: bool, expected: list[str]
) -> None:
    assert await told(says_status(status), watching=watching) == expected


async def test_what_labgate_says_itself_is_watched() -> None:
    assert await told(OK, target=HEALTH_PATH) == UNUSUAL
    assert await told(OK, FOREIGN) == ["refused by origin", "watch", "finish"]


async def test_a_websocket_is_watched_from_its_handshake_on() -> None:
    assert await told(SWITCH, *WEBSOCKET) == UNUSUAL


async def test_what_observing_lets_through_is_told_with_its_rule() -> None:
    assert await told(OK, FOREIGN, observe=True) == ["refused by origin", *UNUSUAL]
