"""A Jupyter that takes requests and answers none: people get a page, everybody else waits."""

from __future__ import annotations

import asyncio
from time import monotonic
from typing import cast

import pytest

from proxy.jupyter.readiness import is_silent
from proxy.proxying.page_deadline import PageDeadline
from proxy.proxying.pool import Pool
from tests.edges import Edge, edge, request
from tests.upstreams import OK, Visit, upstream

SECONDS = 30.0
LATER = 3600.0
LIMIT_SECONDS = 60.0

PAGE = (b"Accept: text/html,application/xhtml+xml,*/*;q=0.8", b"Sec-Fetch-Mode: navigate")
API_ANSWER = b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 16\r\n\r\n{"version": "1"}'


class Jupyter:
    """Answers ``/api`` unless it is paused, and everything else when it may.

    Attributes:
        waiting: How many requests have come and are not answered.
        ended: How many connections labgate has ended.
    """

    def __init__(self, *, paused: bool, begins: bytes = b"") -> None:
        self.paused = paused
        self.waiting = self.ended = 0
        self.may_answer = asyncio.Event()
        self.changed = asyncio.Condition()
        self._begins = begins

    async def __call__(self, visit: Visit) -> None:
        while True:
            head = await visit.head()
            if b" /api HTTP" in head and not self.paused:
                await visit.say(API_ANSWER)
                return
            await visit.say(self._begins)
            await self._count(waiting=1)
            end = asyncio.ensure_future(_end(visit))
            may = asyncio.ensure_future(self.may_answer.wait())
            await asyncio.wait({end, may}, return_when=asyncio.FIRST_COMPLETED)
            may.cancel()
            if end.done():
                await self._count(ended=1)
                return
            end.cancel()
            await asyncio.wait({end})
            await visit.say(OK)

    async def _count(self, *, waiting: int = 0, ended: int = 0) -> None:
        async with self.changed:
            self.waiting += waiting
            self.ended += ended
            self.changed.notify_all()

    async def until(self, *, waiting: int = 0, ended: int = 0) -> None:
        async with asyncio.timeout(LIMIT_SECONDS), self.changed:
            await self.changed.wait_for(
                lambda: self.waiting >= waiting and self.ended >= ended,
            )


async def _end(visit: Visit) -> None:
    """Until labgate ends the connection; what content it sends is dropped."""
    while await visit.reader.read(1024):
        pass


class Probe:
    """Gives the answer that the test sets, when the test allows it, and counts."""

    def __init__(self, *, answered: bool) -> None:
        self.answered = answered
        self.asked = 0
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self, seconds: float) -> bool:
        self.asked += 1
        await self.may_end.wait()
        return self.answered


def ask(labgate: Edge, data: bytes) -> asyncio.Task[bytes]:
    return asyncio.ensure_future(labgate.ask(data))


async def settle() -> None:
    """Whatever is due has its turn."""
    for _ in range(50):
        await asyncio.sleep(0)


async def test_a_page_that_waits_for_a_paused_jupyter() -> None:
    jupyter = Jupyter(paused=True)
    async with upstream(jupyter) as running, edge(running.address) as labgate:

        async def probe(seconds: float) -> bool:
            return not await is_silent(running.address, seconds)

        deadline = PageDeadline(labgate.pool, 0.3, probe)
        asking = ask(labgate, request(b"/lab", *PAGE))
        await jupyter.until(waiting=1)
        deadline.look(monotonic() + LATER)
        answer = await asyncio.wait_for(asking, LIMIT_SECONDS)
        await jupyter.until(waiting=2, ended=2)  # the page's and the probe's
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nRetry-After: 2\r\n" in answer
    assert b"location.reload" in answer
    assert labgate.records[0].outcome.startswith("no answer within 0.3 s")


async def test_a_page_that_takes_its_time_goes_through() -> None:
    """A notebook that is converted for a minute, while everything else is answered."""
    jupyter = Jupyter(paused=False)
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        probes = 0

        async def probe(seconds: float) -> bool:
            nonlocal probes
            answered = not await is_silent(running.address, seconds)
            probes += 1
            return answered

        deadline = PageDeadline(labgate.pool, SECONDS, probe)
        asking = ask(labgate, request(b"/nbconvert/html/a.ipynb?download=true", *PAGE))
        await jupyter.until(waiting=1)
        now = monotonic() + LATER
        while probes < 5 and not asking.done():
            deadline.look(now := now + SECONDS)
            await asyncio.sleep(0.001)
        assert not asking.done()
        jupyter.may_answer.set()
        assert (await asking).endswith(b"\r\n\r\nok")


WAIT = [
    pytest.param(request(b"/api/contents", b"Accept: */*"), id="a program"),
    pytest.param(
        request(b"/api/contents", b"Accept: text/html", b"Sec-Fetch-Mode: cors"), id="a script"
    ),
    pytest.param(request(b"/lab", *PAGE, method=b"HEAD"), id="nobody looks at HEAD"),
    pytest.param(
        request(b"/login", *PAGE, b"Content-Length: 1", method=b"POST", content=b"x"), id="a form"
    ),
    pytest.param(
        request(b"/api/contents/a", b"Content-Length: 1", method=b"PUT", content=b"x"), id="upload"
    ),
    pytest.param(
        b"GET /api/kernels/1/channels HTTP/1.1\r\nHost: lab.example.org\r\n"
        b"Origin: https://lab.example.org\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Key: a2V5\r\nSec-WebSocket-Version: 13\r\n\r\n",
        id="a WebSocket",
    ),
]


@pytest.mark.parametrize("data", WAIT)
async def test_everything_else_waits_for_as_long_as_its_client(data: bytes) -> None:
    jupyter = Jupyter(paused=True)
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        probe = Probe(answered=False)
        deadline = PageDeadline(labgate.pool, 0.03, probe)
        other = ask(labgate, data)
        await jupyter.until(waiting=1)
        deadline.look(monotonic() + LATER)
        await settle()
        assert probe.asked == 0
        page = ask(labgate, request(b"/lab", *PAGE))
        await jupyter.until(waiting=2)
        deadline.look(monotonic() + 2 * LATER)
        assert (await asyncio.wait_for(page, LIMIT_SECONDS)).startswith(b"HTTP/1.1 503 ")
        assert not other.done()
        other.cancel()


async def test_one_probe_speaks_for_all_pages() -> None:
    jupyter, pages = Jupyter(paused=True), 20
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        probe = Probe(answered=False)
        probe.may_end.clear()
        deadline = PageDeadline(labgate.pool, 0.03, probe)
        asking = [ask(labgate, request(b"/lab/%d" % n, *PAGE)) for n in range(pages)]
        await jupyter.until(waiting=pages)
        for turn in range(10):
            deadline.look(monotonic() + LATER + turn * SECONDS)
            await settle()
        probe.may_end.set()
        answers = await asyncio.wait_for(asyncio.gather(*asking), LIMIT_SECONDS)
    assert probe.asked == 1
    assert {answer[:12] for answer in answers} == {b"HTTP/1.1 503"}


async def test_not_before_its_time() -> None:
    jupyter = Jupyter(paused=True)
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        probe = Probe(answered=False)
        deadline = PageDeadline(labgate.pool, LATER, probe)
        asking = ask(labgate, request(b"/lab", *PAGE))
        await jupyter.until(waiting=1)
        deadline.look(monotonic() + LATER / 2)
        await settle()
        assert probe.asked == 0
        asking.cancel()


async def test_a_page_asked_for_while_the_probe_waits_has_its_own_time() -> None:
    jupyter = Jupyter(paused=True)
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        probe = Probe(answered=False)
        probe.may_end.clear()
        deadline = PageDeadline(labgate.pool, 0.03, probe)
        first = ask(labgate, request(b"/lab", *PAGE))
        await jupyter.until(waiting=1)
        deadline.look(monotonic() + 0.02)  # the part of its time that goes by without a probe
        second = ask(labgate, request(b"/lab", *PAGE))
        await jupyter.until(waiting=2)
        probe.may_end.set()
        assert (await asyncio.wait_for(first, LIMIT_SECONDS)).startswith(b"HTTP/1.1 503 ")
        await settle()
        assert not second.done()
        jupyter.may_answer.set()
        assert (await second).endswith(b"\r\n\r\nok")


async def test_an_answer_that_comes_during_the_probe_counts() -> None:
    jupyter = Jupyter(paused=True)
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        probe = Probe(answered=False)
        probe.may_end.clear()
        deadline = PageDeadline(labgate.pool, 0.03, probe)
        asking = ask(labgate, request(b"/lab", *PAGE))
        await jupyter.until(waiting=1)
        deadline.look(monotonic() + LATER)
        await settle()
        jupyter.may_answer.set()
        assert (await asking).endswith(b"\r\n\r\nok")
        probe.may_end.set()
        await settle()
    assert probe.asked == 1


async def test_content_that_stays_away_is_no_matter_of_the_page() -> None:
    """Half a page must not be followed by another."""
    begins = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n1234"
    jupyter = Jupyter(paused=True, begins=begins)
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        probe = Probe(answered=False)
        deadline = PageDeadline(labgate.pool, 0.03, probe)
        reader, writer = await labgate.connect()
        writer.write(request(b"/lab", *PAGE))
        assert (await reader.readuntil(b"1234")).startswith(b"HTTP/1.1 200 ")
        deadline.look(monotonic() + LATER)
        await settle()
        assert probe.asked == 0


async def test_over_a_connection_used_before_there_is_no_retry() -> None:
    jupyter = Jupyter(paused=False)
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        jupyter.may_answer.set()
        assert (await labgate.ask(request(b"/lab", *PAGE))).endswith(b"ok")
        jupyter.may_answer.clear()
        deadline = PageDeadline(labgate.pool, 0.03, Probe(answered=False))
        asking = ask(labgate, request(b"/lab", *PAGE))
        await jupyter.until(waiting=2)
        deadline.look(monotonic() + LATER)
        assert (await asyncio.wait_for(asking, LIMIT_SECONDS)).startswith(b"HTTP/1.1 503 ")
        await jupyter.until(ended=1)
    assert len(running.visits) == 1


async def test_zero_switches_it_off() -> None:
    jupyter = Jupyter(paused=True)
    async with upstream(jupyter) as running, edge(running.address) as labgate:
        probe = Probe(answered=False)
        deadline = PageDeadline(labgate.pool, 0, probe)
        asking = ask(labgate, request(b"/lab", *PAGE))
        await jupyter.until(waiting=1)
        deadline.look(monotonic() + LATER)
        await settle()
        assert probe.asked == 0
        asking.cancel()


class Waiting:
    """An upstream connection on which a page waits; it is asked and failed like a real one."""

    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def page_since(self, since: float) -> bool:
        return True

    def fail(self, error: Exception) -> None:
        self.errors.append(error)


class Connections:
    """A pool in which one page waits."""

    def __init__(self) -> None:
        self.connection = Waiting()
        self.open = {self.connection}


class Asked:
    """Counts how often Jupyter is asked."""

    def __init__(self, *, answers: bool) -> None:
        self.answers = answers
        self.asked: list[float] = []

    async def __call__(self, seconds: float) -> bool:
        self.asked.append(seconds)
        return self.answers


async def test_a_jupyter_that_answers_is_not_asked_again_at_once() -> None:
    probe, pool = Asked(answers=True), Connections()
    deadline = PageDeadline(cast(Pool, pool), 0.3, probe)
    for now, asked in ((1000.0, 1), (1000.05, 1), (1000.2, 2), (1000.25, 2)):
        deadline.look(now)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(probe.asked) == asked, now
    assert probe.asked == [pytest.approx(0.1)] * 2
    assert pool.connection.errors == []


async def test_a_page_has_all_of_its_time_even_if_the_probe_fails_at_once() -> None:
    probe, pool = Asked(answers=False), Connections()
    deadline = PageDeadline(cast(Pool, pool), 0.3, probe)
    loop = asyncio.get_running_loop()
    began = loop.time()
    deadline.look(monotonic())
    async with asyncio.timeout(LIMIT_SECONDS):
        while not pool.connection.errors:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert loop.time() - began >= 0.1
    (error,) = pool.connection.errors
    assert str(error) == "no answer within 0.3 s, and a probe beside it had none either"


async def test_without_a_limit_nobody_asks() -> None:
    probe = Asked(answers=False)
    PageDeadline(cast(Pool, Connections()), 0.0, probe).look(1000.0)
    await asyncio.sleep(0)
    assert probe.asked == []
