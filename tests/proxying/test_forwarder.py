"""What goes up: each request ends where the next one on the same connection begins."""

from __future__ import annotations

import pytest

from tests.proxying.memory_front import MemoryFront
from tests.proxying.test_messages import proxying
from tests.upstreams import OK, Visit

LENGTH = (b"Content-Length", b"10")
CHUNKED = (b"Transfer-Encoding", b"chunked")
FIRST = [
    pytest.param(0, [], b"", id="no content"),
    pytest.param(10, [b"helloworld", b""], b"helloworld", id="a length"),
    pytest.param(10, [b"hello", b"world", b""], b"helloworld", id="a length, in two parts"),
    pytest.param(None, [b"hello", b""], b"5\r\nhello\r\n0\r\n\r\n", id="chunks"),
    pytest.param(None, [b""], b"0\r\n\r\n", id="no chunk"),
]


@pytest.mark.parametrize(("length", "pieces", "octets"), FIRST)
async def test_nothing_stands_between_two_requests(
    length: int | None, pieces: list[bytes], octets: bytes
) -> None:
    """Jupyter would take it for the beginning of the next one."""
    next_head = b""

    async def read(visit: Visit) -> None:
        nonlocal next_head
        if len(jupyter.visits) > 1:
            return
        await visit.head()
        assert await visit.exactly(len(octets)) == octets
        await visit.say(OK)
        next_head = await visit.head()
        await visit.say(OK)

    fields = [] if length == 0 else [CHUNKED if length is None else LENGTH]
    async with proxying(read) as (dispatcher, jupyter, _):
        first = MemoryFront(*fields, method=b"PUT", length=length)
        first.ask(dispatcher)
        first.upload(*pieces)
        assert await first.ended == "complete"
        second = MemoryFront()
        second.ask(dispatcher)
        assert await second.ended == "complete"
        assert len(jupyter.visits) == 1
    assert next_head.startswith(b"GET /x HTTP/1.1\r\n")
