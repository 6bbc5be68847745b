"""What the record says of a request that labgate answers itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.head import RequestHead
from tests.proxying.memory_front import MemoryFront
from tests.proxying.test_messages import proxying
from tests.upstreams import OK, says


def on_plain_port(head: RequestHead) -> RequestHead:
    return replace(head, arrival=replace(head.arrival, plain_redirects=True))


def the_last_hop(head: RequestHead) -> RequestHead:
    return replace(head, method=b"OPTIONS", fields=(*head.fields, (b"Max-Forwards", b"0")))


def of_another_site(head: RequestHead) -> RequestHead:
    return replace(head, fields=(*head.fields, (b"Origin", b"null")))


OUTCOMES = [
    (on_plain_port, 301, b"This is at https://lab.example.org/x\n", "redirected"),
    (the_last_hop, 200, b"This is as far as Max-Forwards lets it go.\n", "answered here"),
    (of_another_site, 403, b"", "refused (origin)"),
]


@pytest.mark.parametrize(("changed", "status", "content", "outcome"), OUTCOMES)
async def test_the_outcome_is_recorded(
    changed: object, status: int, content: bytes, outcome: str
) -> None:
    assert callable(changed)
    async with proxying(says(OK)) as (dispatcher, jupyter, records):
        client = MemoryFront()
        client.head = changed(client.head)
        client.ask(dispatcher)
        assert await client.ended == "complete"
        assert not jupyter.visits
    assert client.statuses == [status]
    assert content in client.content
    [record] = records
    assert (record.status, record.outcome) == (status, outcome)
