"""A fault of labgate's own: the client gets a 500, the log its traceback, Jupyter no blame."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from proxy.observe.record import Observers, Record
from proxy.proxying.decision_cache import DecisionCache
from proxy.rules.head import RequestHead
from tests.edges import Edge, edge
from tests.http1.test_client_connection import until
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
    async with asyncio.timeout(30):
        return await reader.read()


def assert_recorded(labgate: Edge, status: int = 500) -> None:
    """Once, as a fault, and nothing of it is in progress any more."""
    (record,) = labgate.records[-1:]
    assert (record.status, record.outcome, record.warning) == (status, "a fault of labgate's", True)
    assert labgate.open_requests.count == 0
    assert len(labgate.limit) == 0


async def test_one_while_a_response_is_read_is_no_fault_of_jupyters(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.services.observers = Observers((), (faulty,), labgate.services.observers.end)
        assert (await answer(labgate)).startswith(b"HTTP/1.1 500 ")
        assert labgate.pool.connections == 0
        assert_recorded(labgate)
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
        assert_recorded(labgate)
    assert "LookupError" in caplog.text


@pytest.mark.parametrize("said", [b"", b"nonsense\r\n\r\n"])
async def test_one_about_a_failure_of_jupyters_is_answered_too(
    said: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """The observer fails when labgate's own response about the failure begins."""
    async with upstream(says(said, close=True)) as jupyter, edge(jupyter.address) as labgate:
        labgate.services.observers = Observers((), (faulty,), labgate.services.observers.end)
        assert (await answer(labgate)).startswith(b"HTTP/1.1 500 ")
        assert_recorded(labgate)
    assert "LookupError: a fault of ours" in caplog.text


async def test_no_response_follows_the_one_about_a_fault() -> None:
    ended, responded = asyncio.Event(), asyncio.Event()

    async def responds_late(visit: Visit) -> None:
        await visit.reader.readuntil(b"\r\n\r\n")
        await ended.wait()
        with suppress(ConnectionError):
            await visit.say(OK)
            await visit.reader.read()
        responded.set()

    class Breaking(MemoryFront):
        """A client whose content cannot be read."""

        def take(self) -> bytes | None:
            if self.more is None:
                return None
            raise LookupError("a fault of ours")

    async with upstream(responds_late) as jupyter, edge(jupyter.address) as labgate:
        client = Breaking(method=b"PUT", length=9)
        client.ask(labgate.dispatcher)
        with pytest.raises(LookupError):
            await client.ended
        assert client.more is None
        ended.set()
        async with asyncio.timeout(30):
            await responded.wait()
        assert_recorded(labgate)
    assert client.statuses == []


async def test_one_while_content_arrives_ends_the_request() -> None:
    async def reads(visit: Visit) -> None:
        await visit.reader.read()

    class BreakingLater(MemoryFront):
        """A client whose second piece of content cannot be read."""

        def take(self) -> bytes | None:
            if self._pieces[:1] == [b"fault"]:
                raise LookupError("a fault of ours")
            return super().take()

    async with upstream(reads) as jupyter, edge(jupyter.address) as labgate:
        client = BreakingLater(method=b"PUT", length=9)
        client.ask(labgate.dispatcher)
        await until(lambda: client.more is not None)
        client.upload(b"1234")
        client.upload(b"fault")
        with pytest.raises(LookupError):
            await client.ended
        assert_recorded(labgate)
