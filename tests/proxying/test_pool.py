"""Which connections to Jupyter stay open, how many, and for how long."""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

from proxy.config.sections import UpstreamSettings
from proxy.errors import UpstreamDown, UpstreamTimeout
from proxy.http1.client_connection import UpstreamConnection
from proxy.proxying.pool import Pool
from proxy.proxying.pool import Upstream as ConnectsTo
from tests.edges import edge, request
from tests.heads import get
from tests.http1.memory_transport import MemoryTransport
from tests.http1.scripted import GONE
from tests.http1.test_client_connection import until
from tests.http1.test_client_connection_in_memory import Answer
from tests.upstreams import OK, Visit, says, upstream

P = TypeVar("P", bound=asyncio.BaseProtocol)

SECONDS = 60.0
LONG = 3600.0


class Answering:
    """A Jupyter that answers when it may, and hears the end of every connection.

    Attributes:
        waiting: Requests that have come and are not answered yet.
        ended: Connections that labgate ended.
    """

    def __init__(self) -> None:
        self.waiting: list[asyncio.Event] = []
        self.ended: list[Visit] = []
        self.changed = asyncio.Condition()

    async def __call__(self, visit: Visit) -> None:
        try:
            while True:
                await visit.head()
                answer = asyncio.Event()
                self.waiting.append(answer)
                await self._tell()
                await answer.wait()
                await visit.say(OK)
        finally:
            self.ended.append(visit)
            await self._tell()

    async def _tell(self) -> None:
        async with self.changed:
            self.changed.notify_all()

    async def until(self, *, waiting: int = 0, ended: int = 0) -> None:
        """As many requests are waiting, and as many connections have ended."""
        async with self.changed:
            await self.changed.wait_for(
                lambda: len(self.waiting) >= waiting and len(self.ended) >= ended
            )

    def answer(self) -> None:
        """Those that wait."""
        for answer in self.waiting:
            answer.set()
        self.waiting.clear()


async def test_only_so_many_idle_connections_stay_open() -> None:
    jupyter = Answering()
    async with (
        asyncio.timeout(SECONDS),
        upstream(jupyter) as running,
        edge(running.address, idle_connections=2, idle_seconds=LONG) as labgate,
    ):
        asked = [asyncio.ensure_future(labgate.ask(request())) for _ in range(5)]
        await jupyter.until(waiting=5)
        assert labgate.pool.connections == 5, "there is no limit for busy ones"
        jupyter.answer()
        assert all(answer.endswith(b"ok") for answer in await asyncio.gather(*asked))
        await jupyter.until(ended=3)
        assert labgate.pool.connections == 2

        again = [asyncio.ensure_future(labgate.ask(request())) for _ in range(2)]
        await jupyter.until(waiting=2)
        jupyter.answer()
        await asyncio.gather(*again)
        assert len(running.visits) == 5, "both are used again"


async def test_idle_connections_end_by_themselves() -> None:
    """Each in its own time: also those that came after the first."""
    jupyter = Answering()
    async with (
        asyncio.timeout(SECONDS),
        upstream(jupyter) as running,
        edge(running.address, idle_seconds=0.2) as labgate,
    ):
        both = [asyncio.ensure_future(labgate.ask(request())) for _ in range(2)]
        await jupyter.until(waiting=2)
        first, second = jupyter.waiting
        first.set()
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.sleep(0.05)  # the shorter its way, the less is seen: never a failure
        second.set()
        await asyncio.gather(*both)
        await jupyter.until(ended=2)
        assert labgate.pool.connections == 0


async def test_one_that_is_too_old_is_not_taken() -> None:
    """Also when its end is overdue because the event loop was busy: Jupyter's is near, too."""
    jupyter = Answering()
    async with (
        asyncio.timeout(SECONDS),
        upstream(jupyter) as running,
        edge(running.address, idle_seconds=0.1) as labgate,
    ):
        asking = asyncio.ensure_future(labgate.ask(request()))
        await jupyter.until(waiting=1)
        (connection,) = labgate.pool.open
        jupyter.answer()
        await asking
        time.sleep(0.15)  # nothing else runs meanwhile, the pool's timer included
        assert labgate.pool.take() is None
        assert not connection.usable
        await jupyter.until(ended=1)


async def test_one_that_is_young_is_taken_once() -> None:
    jupyter = Answering()
    async with (
        asyncio.timeout(SECONDS),
        upstream(jupyter) as running,
        edge(running.address, idle_seconds=LONG) as labgate,
    ):
        asking = asyncio.ensure_future(labgate.ask(request()))
        await jupyter.until(waiting=1)
        (connection,) = labgate.pool.open
        jupyter.answer()
        await asking
        assert labgate.pool.take() is connection
        assert labgate.pool.take() is None
        connection.abort()


async def test_after_a_move_no_old_connection_is_used_again() -> None:
    """The idle one ends at once, the busy one with its response."""
    old, new = Answering(), Answering()
    async with (
        asyncio.timeout(SECONDS),
        upstream(old) as before,
        upstream(new) as after,
        edge(before.address, idle_seconds=LONG) as labgate,
    ):
        asked = [asyncio.ensure_future(labgate.ask(request())) for _ in range(2)]
        await old.until(waiting=2)
        first, busy = old.waiting
        first.set()
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        labgate.pool.move(after.address)
        await old.until(ended=1)
        assert labgate.pool.connections == 1
        busy.set()
        await asyncio.gather(*asked)
        await old.until(ended=2)
        asking = asyncio.ensure_future(labgate.ask(request()))
        await new.until(waiting=1)
        new.answer()
        assert (await asking).endswith(b"ok")
        assert len(before.visits) == 2


class InMemory:
    """An upstream without sockets, but for what looks below its transports."""

    def __init__(self, channel: socket.socket | None = None) -> None:
        self._channel = channel

    async def connect(self, factory: Callable[[], P]) -> tuple[asyncio.BaseTransport, P]:
        transport, protocol = MemoryTransport(self._channel), factory()
        protocol.connection_made(transport)
        return transport, protocol


def test_what_is_not_set_is_as_in_the_configuration() -> None:
    """The upstream of a route has no times of its own."""
    pool, settings = Pool(None), UpstreamSettings()
    assert pool._limits == (settings.idle_connections, settings.idle_seconds)

    assert pool._connect_timeout == settings.connect_timeout_seconds
    assert pool._head_seconds == settings.head_seconds
    assert pool._response_seconds == settings.response_seconds


async def test_when_the_last_idle_connection_is_closed_nothing_is_left_to_look_for() -> None:
    faults: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with (
        upstream(says(OK)) as running,
        edge(running.address, idle_seconds=0.05) as labgate,
    ):
        await labgate.ask(request())
        await until(lambda: not labgate.pool.connections and labgate.pool._timer is None)
    assert faults == []


TIMES = [
    pytest.param(b"", 9.0, None, id="it may still begin"),
    pytest.param(b"", 11.0, "no response within 10 s", id="it has not begun"),
    pytest.param(b"HTTP/1.1 200 OK\r\n", 9.0, None, id="its head may still end"),
    pytest.param(OK[:-1], 3600.0, None, id="its head has come"),
]


@pytest.mark.parametrize(("come", "passed", "failure"), TIMES)
async def test_a_response_must_begin_in_time(come: bytes, passed: float, failure: str) -> None:
    pool = Pool(InMemory(), head_seconds=LONG, response_seconds=10.0)
    connection, answer = await pool.dial(), Answer()
    connection.send(answer, get(), b"", b"1", b"")
    if come:
        connection.data_received(come)
    assert connection.sent_at is not None
    connection.sent_at -= passed
    await pool.check_times()
    assert [str(error) for error in answer.errors] == ([failure] if failure else [])


class Never:
    """An upstream that accepts no connection."""

    async def connect(self, factory: Callable[[], P]) -> tuple[asyncio.BaseTransport, P]:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    def __str__(self) -> str:
        return "192.0.2.1:8888"


async def test_an_upstream_must_accept_in_time() -> None:
    pool = Pool(Never(), connect_timeout_seconds=0.0)
    with pytest.raises(UpstreamDown, match=r"^192\.0\.2\.1:8888 did not accept within 0 s$"):
        await pool.dial()


async def test_a_watch_that_was_dialled_before_a_move_watches_nothing() -> None:
    lost: list[str] = []
    slow = SlowToReach(InMemory())
    pool = Pool(slow)
    watching = asyncio.ensure_future(pool.watch(lambda: lost.append("lost")))
    await slow.reached.wait()
    pool.move(InMemory())
    slow.may_say.set()
    with pytest.raises(UpstreamDown, match=r"^Jupyter has moved$"):
        await watching
    assert not lost, "the error says it"


class SlowToReach:
    """It is connected to, and says so only when it may.

    Attributes:
        reached: The connection is there.
        may_say: Lets ``connect`` return.
    """

    def __init__(self, upstream: ConnectsTo) -> None:
        self._upstream = upstream
        self.reached = asyncio.Event()
        self.may_say = asyncio.Event()

    async def connect(self, factory: Callable[[], P]) -> tuple[asyncio.BaseTransport, P]:
        connected = await self._upstream.connect(factory)
        self.reached.set()
        await self.may_say.wait()
        return connected


async def test_one_that_was_dialled_before_a_move_is_not_used_again() -> None:
    old, new = Answering(), Answering()
    async with (
        asyncio.timeout(SECONDS),
        upstream(old) as before,
        upstream(new) as after,
        edge(before.address, idle_seconds=LONG) as labgate,
    ):
        slow = SlowToReach(before.address)
        labgate.pool.move(slow)
        asking = asyncio.ensure_future(labgate.ask(request()))
        await slow.reached.wait()
        labgate.pool.move(after.address)
        slow.may_say.set()
        await old.until(waiting=1)
        old.answer()
        assert (await asking).endswith(b"ok"), "it was asked when the old one was there"
        asking = asyncio.ensure_future(labgate.ask(request()))
        both = [asyncio.ensure_future(one.until(waiting=1)) for one in (old, new)]
        await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
        for one in both:
            one.cancel()
        assert new.waiting
        new.answer()
        assert (await asking).endswith(b"ok")


async def test_one_that_jupyter_closes_is_forgotten() -> None:
    async with (
        asyncio.timeout(SECONDS),
        upstream(says(OK, close=True)) as running,
        edge(running.address, idle_seconds=LONG) as labgate,
    ):
        assert (await labgate.ask(request())).endswith(b"ok")
        while labgate.pool.connections:  # noqa: ASYNC110  no event says so
            await asyncio.sleep(0)
        assert repr(labgate.pool).endswith(" idle=0>")


class LostAtOnce:
    """An upstream whose connections have ended when they are handed over."""

    async def connect(self, factory: Callable[[], P]) -> tuple[asyncio.BaseTransport, P]:
        ours, theirs = socket.socketpair()
        theirs.close()
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.create_unix_connection(factory, sock=ours)
        while not transport.is_closing():  # noqa: ASYNC110  no event says so
            await asyncio.sleep(0)
        return transport, protocol


async def test_one_that_is_lost_while_it_is_dialled_is_not_counted() -> None:
    async with asyncio.timeout(SECONDS):
        pool = Pool(LostAtOnce())
        connection = await pool.dial()
        assert not connection.usable
        assert pool.connections == 0


async def fails(connection: UpstreamConnection) -> None:
    connection.fail(UpstreamTimeout("no response within 10 s"))


async def ends(connection: UpstreamConnection) -> None:
    connection.connection_lost(None)


async def breaks(connection: UpstreamConnection) -> None:
    connection.connection_lost(ConnectionResetError())


async def ends_in_the_middle(connection: UpstreamConnection) -> None:
    connection.data_received(OK[:-1])
    connection.connection_lost(None)


async def ends_while_idle(connection: UpstreamConnection) -> None:
    connection.data_received(OK)
    connection.connection_lost(None)


async def says_nonsense(connection: UpstreamConnection) -> None:
    connection.data_received(b"nonsense")


async def says_more(connection: UpstreamConnection) -> None:
    connection.data_received(OK)
    connection.data_received(OK)


async def says_close(connection: UpstreamConnection) -> None:
    connection.data_received(OK.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))


async def ends_with_its_content(connection: UpstreamConnection) -> None:
    connection.data_received(b"HTTP/1.1 200 OK\r\n\r\nok")
    connection.eof_received()


async def is_given_up(connection: UpstreamConnection) -> None:
    connection.give_up()
    await asyncio.sleep(0)


async def becomes_a_tunnel(connection: UpstreamConnection) -> None:
    connection.detach()


async def is_not_needed(connection: UpstreamConnection) -> None:
    connection.data_received(OK)
    connection.abort()


async def was_the_former_jupyters(connection: UpstreamConnection) -> None:
    connection.retired = True
    connection.connection_lost(None)


@pytest.mark.parametrize(
    "happens",
    [fails, ends, breaks, ends_in_the_middle, ends_while_idle, says_nonsense, says_more],
)
async def test_a_connection_that_is_lost_ends_the_watch(
    happens: Callable[[UpstreamConnection], Awaitable[None]],
) -> None:
    assert await _watch_after(happens) == (["lost"], False)


@pytest.mark.parametrize(
    "happens",
    [
        says_close,
        ends_with_its_content,
        is_given_up,
        becomes_a_tunnel,
        is_not_needed,
        was_the_former_jupyters,
    ],
)
async def test_a_connection_that_is_not_needed_any_more_is_no_loss(
    happens: Callable[[UpstreamConnection], Awaitable[None]],
) -> None:
    assert await _watch_after(happens) == ([], True)


async def _watch_after(
    happens: Callable[[UpstreamConnection], Awaitable[None]],
) -> tuple[list[str], bool]:
    """What a watch says of what happens to a connection that has sent a request; if it is open."""
    lost: list[str] = []
    pool = Pool(InMemory(GONE))
    watch = await pool.watch(lambda: lost.append("lost"))
    connection = await pool.dial()
    connection.send(Answer(), get(), b"", b"1", b"")
    transport = connection._transport
    await happens(connection)
    if isinstance(transport, MemoryTransport) and transport.state == "aborted":
        # As the event loop would.
        connection.connection_lost(None)
    assert pool.connections == 0
    return lost, watch.open


class Refusing(InMemory):
    """An upstream that accepts no second connection."""

    def __init__(self, error: OSError) -> None:
        super().__init__()
        self._error = error
        self._connected = False

    async def connect(self, factory: Callable[[], P]) -> tuple[asyncio.BaseTransport, P]:
        if self._connected:
            raise self._error
        self._connected = True
        return await super().connect(factory)


@pytest.mark.parametrize("error", [ConnectionRefusedError(), TimeoutError()])
async def test_a_connection_that_cannot_be_opened_ends_the_watch(error: OSError) -> None:
    lost: list[str] = []
    pool = Pool(Refusing(error))
    watch = await pool.watch(lambda: lost.append("lost"))
    with pytest.raises(UpstreamDown):
        await pool.dial()
    assert (lost, watch.open) == (["lost"], False)


async def test_without_descriptors_the_watch_goes_on() -> None:
    """That says nothing of Jupyter, and in a crowd its static files are needed most."""
    lost: list[str] = []
    async with upstream(says(OK)) as jupyter:
        pool = Pool(jupyter.address)
        watch = await pool.watch(lambda: lost.append("lost"))
        with no_descriptors(), pytest.raises(UpstreamDown, match="Too many open files"):
            await pool.dial()
        assert (lost, watch.open) == ([], True)
        watch.close()


@contextmanager
def no_descriptors() -> Iterator[None]:
    """This process can open no file and no socket."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_an_end_that_is_found_when_it_is_needed_ends_the_watch() -> None:
    """Jupyter's FIN is there, and the event loop has not seen it."""
    lost: list[str] = []
    ours, theirs = socket.socketpair()
    with ours, theirs:
        pool = Pool(InMemory(ours))
        watch = await pool.watch(lambda: lost.append("lost"))
        connection = await pool.dial()
        connection.send(Answer(), get(), b"", b"1", b"")
        connection.data_received(OK)
        theirs.close()
        assert pool.take() is None
    assert (lost, watch.open) == (["lost"], False)
