"""The whole proxying behind a front in memory: the seam of ``proxy.messages``."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from ipaddress import ip_network
from typing import TypeVar

import pytest

from proxy.access.access_control import AccessControl
from proxy.access.allow import Allow
from proxy.access.lockout import Lockout
from proxy.messages import Responder
from proxy.net.limits import DEFAULT_LIMITS, ConcurrencyLimit, new_request_limit, new_web_app_limit
from proxy.observe.record import Observer, Observers, Record
from proxy.proxying.activity import Activity
from proxy.proxying.dispatcher import Dispatcher
from proxy.proxying.pool import Pool
from proxy.proxying.router import Router
from proxy.rules.decide import HEALTH_PATH
from proxy.rules.decision import Refuse
from proxy.rules.head import RequestHead
from proxy.rules.networks import Networks
from proxy.rules.site import make_site
from proxy.rules.stripped_prefix import StrippedPrefix
from tests.edges import PUBLIC
from tests.proxying.memory_front import MemoryFront
from tests.upstreams import OK, Answer, Upstream, Visit, says, upstream

WEBSOCKET = (
    (b"Origin", b"https://lab.example.org"),
    (b"Connection", b"Upgrade"),
    (b"Upgrade", b"websocket"),
)
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"

P = TypeVar("P", bound=asyncio.BaseProtocol)
Running = tuple[Dispatcher, Upstream, list[Record]]


@asynccontextmanager
async def proxying(answer: Answer) -> AsyncIterator[Running]:
    """A dispatcher in front of an upstream, and what it has recorded."""
    records: list[Record] = []
    observers = Observers(end=(records.append,))
    async with asyncio.timeout(60), upstream(answer) as jupyter:
        pool = Pool(jupyter.address)
        site = make_site((PUBLIC,), jupyter.address.origin)
        limit = new_request_limit(DEFAULT_LIMITS)
        router = Router(site, pool, Pool(None), limit, new_web_app_limit())
        yield Dispatcher(router, observers), jupyter, records
        pool.close()


async def test_a_get() -> None:
    async with proxying(says(OK)) as (dispatcher, jupyter, records):
        client = MemoryFront()
        client.ask(dispatcher)
        assert await client.ended == "complete"
    assert (client.statuses, client.content) == ([200], b"ok")
    assert jupyter.heads.startswith(b"GET /x HTTP/1.1\r\n")
    [record] = records
    assert (record.status, record.outcome, record.bytes_down) == (200, "forwarded", 2)
    assert 0 <= record.seconds < 60
    assert record.sent_up_at == 0.0, "nobody wants to know"
    client.leave()
    assert records == [record], "it had its response"


@pytest.mark.parametrize(("length", "sent"), [(10, b"helloworld"), (None, b"5\r\nhello\r\n")])
async def test_an_upload(length: int | None, sent: bytes) -> None:
    """Framed for the upstream: by its length, or in chunks."""
    end = b"0\r\n\r\n" if length is None else b""

    async def read(visit: Visit) -> None:
        await visit.head()
        await visit.exactly(len(sent))
        client.upload(*([b""] if length is None else []))
        await visit.exactly(len(end))
        await visit.say(OK)

    field = (b"Transfer-Encoding", b"chunked") if length is None else (b"Content-Length", b"10")
    async with proxying(read) as (dispatcher, jupyter, records):
        client = MemoryFront(field, method=b"PUT", length=length)
        client.ask(dispatcher)
        client.upload(*([b"hello"] if length is None else [b"hello", b"world", b""]))
        assert await client.ended == "complete"
    assert jupyter.heads.endswith(b"\r\n\r\n" + sent + end)
    assert records[0].bytes_up == (5 if length is None else 10)


async def test_an_upgrade() -> None:
    async def echo(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH + b"first ")
        await visit.say(await visit.exactly(4))

    async with proxying(echo) as (dispatcher, jupyter, records):
        client = MemoryFront(*WEBSOCKET)
        client.ask(dispatcher)
        tunnel = await client.tunnel
        tunnel.feed_data(b"ping")
        assert await client.ended == "closed"
    assert b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" in jupyter.heads
    assert (client.statuses, client.content) == ([101], b"first ping")
    [record] = records
    assert (record.outcome, record.bytes_up, record.bytes_down) == ("tunnelled", 4, 10)


async def test_a_refusal() -> None:
    async with proxying(says(OK)) as (dispatcher, jupyter, records):
        client = MemoryFront((b"Origin", b"https://evil.example"), method=b"POST")
        client.ask(dispatcher)
        assert client.ended.result() == "complete"
        assert not jupyter.visits
    assert client.statuses == [403]
    assert records[0].outcome == "refused (origin)"


@pytest.mark.parametrize(
    ("method", "target", "status", "content", "outcome"),
    [
        (b"GET", b"/ada", 301, b"", "redirected"),
        (b"OPTIONS", b"/ada/lab", 200, b"Max-Forwards", "answered here"),
    ],
)
async def test_what_needs_no_upstream(
    method: bytes, target: bytes, status: int, content: bytes, outcome: str
) -> None:
    async with proxying(says()) as (dispatcher, jupyter, records):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.use(replace(router.site, base_path="/ada/", folder=b"/ada"))
        client = MemoryFront((b"Max-Forwards", b"0"), method=method, target=target)
        client.ask(dispatcher)
        assert client.ended.result() == "complete"
        assert not jupyter.visits
    assert client.statuses == [status]
    assert content in client.content
    assert [(record.status, record.outcome) for record in records] == [(status, outcome)]


async def test_a_name_for_each_request() -> None:
    async with proxying(says()) as (dispatcher, _, records):
        for _ in range(2):
            MemoryFront((b"Origin", b"null")).ask(dispatcher)
    names = [record.request_id for record in records]
    start = dispatcher.services.process_id
    assert names == [start + b"-1", start + b"-2"]
    assert re.fullmatch(rb"[0-9a-f]{12}", start)


async def test_what_is_not_asked_for_costs_nothing() -> None:
    async with proxying(says()) as (dispatcher, _, _):
        services = Dispatcher(dispatcher.services.router).services
    assert (services.trace, services.log.access_log, services.recorder) == (False, False, None)
    requests = services.open_requests
    assert (requests.count, requests.ping_seconds, requests.draining) == (0, 0.0, False)
    services = Dispatcher(dispatcher.services.router, access_log=True, trace=True).services
    assert (services.trace, services.log.access_log) == (True, True)


async def test_a_trusted_proxy_names_the_client_and_the_request() -> None:
    given = (b"X-Forwarded-For", b"198.51.100.9"), (b"X-Request-Id", b"0af7")
    async with proxying(says(OK)) as (dispatcher, _, records):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        for proxies in ([ip_network("203.0.113.0/24")], []):
            router.use(replace(router.site, trusted_proxies=Networks(proxies)))
            MemoryFront(*given, (b"Origin", b"null")).ask(dispatcher)
    named, unnamed = records
    assert (named.head.arrival.peer, named.request_id) == ("198.51.100.9", b"0af7")
    assert (unnamed.head.arrival.peer, unnamed.request_id) != ("198.51.100.9", b"0af7")


def broken(_: Record) -> None:
    raise RuntimeError("a fault")


class Broken:
    """An upstream that cannot be connected to because of a fault of labgate's."""

    async def connect(self, factory: Callable[[], P]) -> tuple[asyncio.BaseTransport, P]:
        raise RuntimeError("a fault")


@pytest.mark.parametrize("when", ["start", "dial", "end"])
async def test_a_fault_of_labgates_ends_the_request(when: str) -> None:
    async with proxying(says()) as (dispatcher, _, _):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        if when == "dial":
            router.jupyter = replace(router.jupyter, pool=Pool(Broken()))
        else:
            dispatcher.services.observers = replace(Observers(), **{when: (broken,)})
        client = MemoryFront(*([] if when == "dial" else [(b"Origin", b"null")]))
        client.ask(dispatcher)
        if when == "end":
            assert await client.ended == "complete", "the refusal was sent before"
        else:
            with pytest.raises(RuntimeError, match="a fault"):
                await client.ended
        assert dispatcher.services.open_requests.count == 0
    [(error, response)] = client.faults
    assert str(error) == "a fault"
    assert response.status == 500
    assert (b"X-Request-Id", dispatcher.services.process_id + b"-1") in response.fields


async def test_too_many_requests_at_once(caplog: pytest.LogCaptureFixture) -> None:
    async with proxying(says()) as (dispatcher, _, records):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.jupyter = replace(router.jupyter, limit=ConcurrencyLimit(0, 0))
        client = MemoryFront()
        client.ask(dispatcher)
    assert client.statuses == [503]
    assert [record.outcome for record in records] == ["too many requests at once"]
    [line] = caplog.messages
    assert line == "too many requests at once (limits.requests): 503 for 203.0.113.7"


@pytest.mark.parametrize(("answer", "used"), [(OK, True), (b"?", False)])
async def test_only_a_response_of_an_upstream_is_its_activity(answer: bytes, used: bool) -> None:
    activity = Activity(0.0)
    async with proxying(says(answer)) as (dispatcher, _, _):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.jupyter = replace(router.jupyter, activity=activity)
        client = MemoryFront()
        client.ask(dispatcher)
        await client.ended
    assert bool(activity.at) is used


def goes_stale() -> Answer:
    """Answers over its first connection once, and ends it with the next request."""
    first = True

    async def answer(visit: Visit) -> None:
        nonlocal first
        await visit.head()
        await visit.say(OK)
        if first:
            first = False
            await visit.head()

    return answer


async def test_a_retry() -> None:
    """The idle connection has become stale: the request goes out again over a new one."""
    async with proxying(goes_stale()) as (dispatcher, jupyter, records):
        for _ in range(2):
            client = MemoryFront()
            client.ask(dispatcher)
            assert await client.ended == "complete"
            assert client.statuses == [200]
    assert len(jupyter.visits) == 2
    assert [record.outcome for record in records] == ["forwarded", "forwarded"]


class Dials:
    """Counts how often a connection was opened for a request (``observe.record.Recording``)."""

    def __init__(self) -> None:
        self.begun = self.ended = 0

    watching = False

    def watch(self, record: Record, responder: Responder) -> Responder:
        return responder

    def refused(self, record: Record, refusal: Refuse) -> None: ...

    def show(self, record: Record) -> None: ...

    def dialling(self, record: Record) -> None:
        self.begun += 1

    def dialled(self, record: Record) -> None:
        self.ended += 1

    def finish(self, record: Record) -> None: ...


async def test_a_capture_sees_the_connection_of_a_retry() -> None:
    dials = [Dials(), Dials()]
    waiting = iter(dials)

    def capture(record: Record) -> None:
        record.recording = next(waiting)

    async with proxying(goes_stale()) as (dispatcher, _, _):
        dispatcher.services.observers = Observers(start=(capture,))
        for _ in dials:
            client = MemoryFront()
            client.ask(dispatcher)
            assert await client.ended == "complete"
    assert [(one.begun, one.ended) for one in dials] == [(1, 1), (1, 1)]


@pytest.mark.parametrize("begun", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"])
async def test_a_client_that_leaves(begun: bytes) -> None:
    """The upstream's connection ends at once, and the request is recorded."""
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def wait(visit: Visit) -> None:
        await visit.head()
        await visit.say(begun)
        asked.set()
        try:
            await visit.reader.read()
        finally:
            hung_up.set()

    async with proxying(wait) as (dispatcher, _, records):
        client = MemoryFront()
        client.ask(dispatcher)
        await asked.wait()
        while begun and not client.content:  # noqa: ASYNC110  no event says so
            await asyncio.sleep(0)
        client.leave()
        client.leave()
        await hung_up.wait()
    assert not client.ended.done()
    [record] = records
    assert record.outcome == "the client went away"
    assert (record.status, record.bytes_down) == ((200, 4) if begun else (0, 0))


@pytest.mark.parametrize("leaves", [True, False])
async def test_what_is_cut_off_before_it_began(leaves: bool) -> None:
    """By its client, or by the end of the event loop."""
    async with proxying(says()) as (dispatcher, jupyter, records):
        client = MemoryFront()
        client.ask(dispatcher)
        [task] = [task for task in asyncio.all_tasks() if task.get_name() == "request"]
        (client.leave if leaves else task.cancel)()
        assert await client.ended == "closed"
        assert not jupyter.visits
        assert dispatcher.services.open_requests.count == 0
    assert [record.outcome for record in records] == ["the client went away"]


async def test_an_upstream_that_does_not_know_of_a_path_does_not_get_it() -> None:
    async with proxying(says(OK)) as (dispatcher, jupyter, _):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.use(replace(router.site, stripped=StrippedPrefix(b"/ada/")))
        client = MemoryFront(target=b"/ada/lab")
        client.ask(dispatcher)
        assert await client.ended == "complete"
    assert jupyter.heads.startswith(b"GET /lab HTTP/1.1\r\n")


async def test_labgates_own_pages_get_no_content() -> None:
    async with proxying(says(OK)) as (dispatcher, jupyter, records):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.web_app = replace(router.web_app, pool=router.jupyter.pool)
        client = MemoryFront((b"Content-Length", b"4"), method=b"PUT", target=HEALTH_PATH, length=4)
        client.ask(dispatcher)
        client.upload(b"1234", b"")
        assert await client.ended == "complete"
    assert jupyter.heads.endswith(b"\r\n\r\n")
    assert records[0].bytes_up == 0


class LetsIn(AccessControl):
    """Gives everybody who asks a session."""

    def check_now(self, head: RequestHead) -> Allow | None:
        return Allow(fields=((b"Set-Cookie", b"s=1; SameSite=Lax"),))


@pytest.mark.parametrize(
    ("embed_in", "cookie"),
    [
        ((), b"s=1; SameSite=Lax"),
        ((b"https://portal.example",), b"s=1; Secure; SameSite=None; Partitioned"),
    ],
)
async def test_a_session_counts_in_a_frame_as_well(
    embed_in: tuple[bytes, ...], cookie: bytes
) -> None:
    async with proxying(says(OK)) as (dispatcher, _, _):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.use(replace(router.site, embed_in=embed_in))
        router.protect(LetsIn(Lockout(1, 900.0)))
        client = MemoryFront()
        client.ask(dispatcher)
        assert await client.ended == "complete"
    assert (b"Set-Cookie", cookie) in client.fields


@pytest.mark.parametrize("embed_in", [(), (b"https://portal.example",)])
async def test_a_page_about_an_error_is_shown_in_a_frame_as_well(
    embed_in: tuple[bytes, ...],
) -> None:
    async with proxying(says()) as (dispatcher, _, _):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.use(replace(router.site, embed_in=embed_in))
        client = MemoryFront((b"Origin", b"https://evil.example"), (b"Accept", b"text/html"))
        client.ask(dispatcher)
        assert await client.ended == "complete"
    policy = dict(client.fields)[b"Content-Security-Policy"]
    assert b" ".join((b"frame-ancestors 'self'", *embed_in)) in policy.split(b"; ")


@pytest.mark.parametrize(
    ("origin", "answer", "status"),
    [(b"https://lab.example.org", OK, 200), (b"https://evil.example", OK, 403), (b"", b"?", 502)],
)
async def test_observers_are_called_at_start_head_and_end(
    origin: bytes, answer: bytes, status: int
) -> None:
    calls: list[tuple[str, int, str]] = []

    def observer(when: str) -> Observer:
        return lambda record: calls.append((when, record.status, record.outcome))

    fields = [(b"Origin", origin)] if origin else []
    async with proxying(says(answer)) as (dispatcher, _, _):
        dispatcher.services.observers = Observers(
            (observer("start"),), (observer("head"),), (observer("end"),)
        )
        client = MemoryFront(*fields)
        client.ask(dispatcher)
        await client.ended
    assert [(when, seen) for when, seen, _ in calls] == [
        ("start", 0),
        ("head", status),
        ("end", status),
    ]
    assert calls[0][2] == ""
    assert calls[2][2]


async def test_the_times_of_a_request_are_known_with_the_head_of_its_response() -> None:
    times: list[tuple[float, float, float]] = []

    def note(record: Record) -> None:
        times.append((record.started_at, record.sent_up_at, record.request_ended_at))

    async with proxying(says(OK)) as (dispatcher, _, _):
        dispatcher.services.observers = Observers(head=(note,))
        client = MemoryFront()
        client.ask(dispatcher)
        await client.ended
    [(started_at, sent_up_at, request_ended_at)] = times
    assert 0 < started_at <= sent_up_at <= request_ended_at


@pytest.mark.parametrize(("target", "traced"), [(b"/x", True), (HEALTH_PATH, False)])
async def test_what_labgate_itself_is_asked_is_not_traced(target: bytes, traced: bool) -> None:
    async with proxying(says(OK)) as (dispatcher, _, records):
        dispatcher.services.trace = True
        router = dispatcher.services.router
        assert isinstance(router, Router)
        router.web_app = replace(router.web_app, pool=router.jupyter.pool)
        client = MemoryFront(target=target)
        client.ask(dispatcher)
        assert await client.ended == "complete"
    [record] = records
    assert record.outcome == ("forwarded" if traced else "answered here")
    assert bool(record.upstream_request) is traced
    assert bool(record.fields_up.pairs) is traced


async def test_a_fault_of_labgates_own_pages_is_its_own() -> None:
    async with proxying(says()) as (dispatcher, _, records):
        client = MemoryFront(target=HEALTH_PATH)
        client.ask(dispatcher)
        assert await client.ended == "complete"
    assert client.statuses == [500]
    assert records[0].warning


async def test_an_upload_that_breaks_off_is_its_clients_affair() -> None:
    class Broken(MemoryFront):
        def take(self) -> bytes | None:
            raise ConnectionResetError("the client ended in the middle")

    async with proxying(says()) as (dispatcher, _, records):
        client = Broken((b"Content-Length", b"9"), method=b"PUT", length=9)
        client.ask(dispatcher)
        assert await client.ended == "closed"
    assert [record.outcome for record in records] == ["the client went away"]


async def test_a_route_may_have_another_for_its_errors() -> None:
    async with proxying(says(OK)) as (dispatcher, jupyter, records):
        router = dispatcher.services.router
        assert isinstance(router, Router)
        gone = Pool(None)
        router.jupyter = replace(router.jupyter, pool=gone, error_route=router.jupyter)
        client = MemoryFront()
        client.ask(dispatcher)
        assert await client.ended == "complete"
    assert client.statuses == [200]
    assert jupyter.heads.startswith(b"GET /x HTTP/1.1\r\n")
    assert [(record.status, record.warning) for record in records] == [(200, True)]
    assert records[0].outcome == "Jupyter is being started"


async def test_a_drain_ends_with_the_last_response() -> None:
    asked, may_answer = asyncio.Event(), asyncio.Event()

    async def wait(visit: Visit) -> None:
        await visit.head()
        asked.set()
        await may_answer.wait()
        await visit.say(OK)

    async with proxying(wait) as (dispatcher, _, _):
        client, other = MemoryFront(), MemoryFront()
        other.ask(dispatcher)
        client.ask(dispatcher)
        assert dispatcher.services.open_requests.count == 2
        other.leave()
        await asked.wait()
        drain = asyncio.ensure_future(dispatcher.services.open_requests.drained())
        await asyncio.sleep(0)
        assert not drain.done()
        may_answer.set()
        await drain
        assert client.ended.result() == "complete"
