"""A fault of labgate's own: the client gets a 500, the log its traceback, Jupyter no blame."""

from __future__ import annotations

import pytest

from proxy.observe.record import Observers, Record
from proxy.proxying.decision_cache import DecisionCache
from proxy.rules.head import RequestHead
from tests.edges import Edge, edge
from tests.proxying.memory_front import MemoryFront
from tests.upstreams import OK, Visit, says, upstream

GET = b"GET /api HTTP/1.1\r\nHost: lab.example.org\r\n\r\n"


def faulty(_: Record) -> None:
    raise LookupError("a fault of ours")


class FaultyCache(DecisionCache):
    """Serialises nothing."""

    def upstream_lines(self, head: RequestHead, *_: object, **__: object) -> bytes:
        raise LookupError(head.target)


async def answer(labgate: Edge) -> bytes:
    reader, writer = await labgate.connect()
    writer.write(GET)
    return await reader.read()


async def test_one_while_a_response_is_read_is_no_fault_of_jupyters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.services.observers = Observers(head=(faulty,))
        assert (await answer(labgate)).startswith(b"HTTP/1.1 500 ")
        assert labgate.pool.connections == 0
    assert "not HTTP" not in caplog.text
    assert "LookupError: a fault of ours" in caplog.text


async def test_one_while_a_request_is_sent_leaves_no_connection_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        writer.write(GET)
        await reader.readuntil(b"ok")
        assert labgate.pool.idle == 1
        labgate.services.decision_cache = FaultyCache()
        assert (await answer(labgate)).startswith(b"HTTP/1.1 500 ")
        assert labgate.pool.connections == 0
    assert "LookupError" in caplog.text


async def test_no_response_follows_the_one_about_a_fault() -> None:
    async def responds_late(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await visit.reader.read()

    class Breaking(MemoryFront):
        def take(self) -> bytes | None:
            raise LookupError("a fault of ours")

    async with upstream(responds_late) as jupyter, edge(jupyter.address) as labgate:
        client = Breaking(method=b"PUT", length=9)
        client.ask(labgate.dispatcher)
        with pytest.raises(LookupError):
            await client.ended
        assert client.more is None
        await labgate.recorded.wait()
        (record,) = labgate.records
        assert record.status == 0
    assert client.statuses == []
