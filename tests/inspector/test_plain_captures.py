"""What is captured at the end alone is what would have been captured on the way."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from proxy.inspector.capture_context import CaptureContext
from proxy.inspector.exchange_capture import MAX_REASON_BYTES, ExchangeCapture
from proxy.inspector.plain_captures import PlainCaptures
from proxy.inspector.recorder import Recorder
from proxy.inspector.ring import Ring
from proxy.inspector.snapshot import Snapshot, SnapshotValues
from proxy.net.upstream_address import UpstreamAddress
from proxy.observe.record import FieldsUp, Record
from proxy.rules.head import Arrival, RequestHead, ResponseHead
from proxy.rules.site import Site, make_site
from tests.edges import PUBLIC, edge, request
from tests.heads import get
from tests.upstreams import OK, Visit, says, upstream

from .test_recorder import HANDSHAKE, WatchedRing, until


class KeepingRing(Ring):
    """Has each snapshot as it came."""

    def __init__(self) -> None:
        super().__init__()
        self.kept: list[SnapshotValues] = []

    def keep(self, snapshot: SnapshotValues) -> None:
        self.kept.append(snapshot)


EVIL = b"Origin: https://evil.example"
LENGTH = b"Content-Length: 2\r\n"
REASON = (
    b"HTTP/1.1 403 Forbidden\r\nContent-Length: 43\r\n\r\n"
    b"Blocking Cross Origin API request for /api."
)


def answer(*fields: bytes, status: bytes = b"200 OK", content: bytes = b"ok") -> bytes:
    return b"\r\n".join([b"HTTP/1.1 " + status, *fields, b"", content])


async def captured(
    asked: bytes, said: bytes, make: Callable[[UpstreamAddress], Site] | None, *, content: bool
) -> str:
    """The second exchange of a connection to Jupyter, without what differs each time."""
    async with upstream(says(OK, said, close=True)) as jupyter:
        site = make(jupyter.address) if make is not None else None
        async with edge(jupyter.address, site=site) as labgate:
            labgate.inspect(content=content)
            await labgate.ask(request(b"/before"))
            with suppress(ConnectionResetError):
                await labgate.ask(asked)
            await until(lambda: len(labgate.captured) == 2)
            _, one = labgate.captured
    details = one.details()
    del details["started"], details["content_up"], details["content_down"]
    details["times"] = {name for name, seconds in details["times"].items() if seconds is not None}
    port = str(jupyter.address.port)
    shown = repr(details).replace(port, "PORT")
    for head in (one.sent_up, one.sent_down):
        if head is not None and (request_id := head.value("x-request-id")):
            shown = shown.replace(request_id, "ID")
    # labgate's own, which may be another second's.
    return re.sub(r"\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT", "DATE", shown)


def observing(address: UpstreamAddress) -> Site:
    return replace(make_site((PUBLIC,), address.origin), observe=True)


def with_hsts(address: UpstreamAddress) -> Site:
    return make_site((PUBLIC,), address.origin, hsts_seconds=60)


@pytest.mark.parametrize(
    ("asked", "said", "site"),
    [
        (request(b"/lab?token=s3cret", b"Cookie: a=s3cret"), answer(LENGTH[:-2]), None),
        (request(b"/api", b"TE: trailers"), answer(LENGTH[:-2], b"Set-Cookie: a=s3cret"), None),
        (request(b"/api"), answer(LENGTH[:-2], b"Date: Mon, 23 Nov 2026 12:00:00 GMT"), with_hsts),
        (request(b"/api", method=b"HEAD"), answer(b"Content-Length: 5", content=b""), None),
        (request(b"/api"), answer(status=b"304 Not Modified", content=b""), None),
        (request(b"/api"), answer(status=b"204 No Content", content=b""), None),
        (
            request(b"/api", b"Content-Length: 2", method=b"POST", content=b"{}"),
            answer(LENGTH[:-2], status=b"201 Made here"),
            None,
        ),
        (
            request(b"/api"),
            answer(b"Transfer-Encoding: chunked", content=b"2\r\nok\r\n0\r\n\r\n"),
            None,
        ),
        (request(b"/api"), REASON, None),
        (request(b"/api", EVIL), REASON, None),
        (request(b"/api", EVIL), REASON, observing),
        (request(b"/api", EVIL), answer(LENGTH[:-2]), observing),
        (request(b"/.labgate/health"), OK, None),
        (request(b"/api"), b"no HTTP", None),
        (request(b"/api"), answer(b"Content-Length: 9"), None),
        (request(b"/api", *HANDSHAKE), REASON, None),
    ],
)
async def test_it_shows_the_same(
    asked: bytes, said: bytes, site: Callable[[UpstreamAddress], Site] | None
) -> None:
    """As where each piece is looked at because content is captured."""
    plain = await captured(asked, said, site, content=False)
    assert plain == await captured(asked, said, site, content=True)
    assert "s3cret" not in plain


def test_what_is_kept_is_a_snapshot() -> None:
    """It is made by hand: each of its values stands in the place of its name."""
    address = UpstreamAddress("127.0.0.1", 1)
    site, ring = make_site((PUBLIC,), address.origin), KeepingRing()
    context = CaptureContext(ring, clock_began=1.5)
    record = Record(
        RequestHead(b"GET", b"/lab", (1, 1), (), Arrival("203.0.113.7")),
        status=200,
        outcome="forwarded",
        bytes_up=3,
        bytes_down=4,
        seconds=5.5,
        number=6,
        route="/user/ada",
        fields_up=FieldsUp((), ()),
        upstream_target=b"/lab",
        upstream_response=ResponseHead(200, b"OK", ()),
        sent_down=(200, b"OK", ()),
        request_id=b"id",
        started_at=7.5,
        admitted_at=8.5,
        sent_up_at=9.5,
        request_ended_at=10.5,
        answered_at=11.5,
    )
    context.unseen[record.number] = record
    PlainCaptures(context, site).finish(record)
    assert not context.guard.faulty
    [values] = ring.kept
    assert Snapshot(*values) == Snapshot(
        heads=context.heads.of(record),
        number=6,
        clock_began=1.5,
        began=7.5,
        arrival=record.head.arrival,
        site=site,
        route="/user/ada",
        admitted_at=8.5,
        dial_seconds=None,
        sent_up_at=9.5,
        request_id=b"id",
        answered_at=11.5,
        sent_down_at=11.5,
        outcome="forwarded",
        bytes_up=3,
        bytes_down=4,
        seconds=5.5,
    )


def test_an_errors_reason_is_bounded() -> None:
    site = make_site((PUBLIC,), UpstreamAddress("127.0.0.1", 1).origin)
    capture = ExchangeCapture(CaptureContext(Ring()), Record(get(), sent_down=(500, b"", ())), site)
    for _ in range(3):
        capture.content_sent(b"x" * (MAX_REASON_BYTES - 1))
    assert capture._reason == b"x" * MAX_REASON_BYTES


async def test_what_ends_has_no_secret_in_the_ring() -> None:
    ring = WatchedRing()
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.services.use_recorder(Recorder(ring))
        for _ in range(2):
            await labgate.ask(request(b"/?token=s3cret", b"Cookie: a=s3cret"))
        first, second = labgate.records
    assert len(ring) == 2
    assert ring.kept.count("[redacted]") >= 4
    assert "s3cret" not in ring.kept
    assert first.recording is second.recording is None


async def test_one_that_takes_long_is_shown_with_each_step() -> None:
    waiting, steps = asyncio.Event(), [asyncio.Event(), asyncio.Event()]
    head, content = OK[:-2], OK[-2:]

    async def slow(visit: Visit) -> None:
        await visit.head()
        await visit.say(OK)
        await visit.head()
        waiting.set()
        await steps[0].wait()
        await visit.say(head)
        await steps[1].wait()
        await visit.say(content)

    async with upstream(slow) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect(content=False)
        await labgate.ask(request())
        asked = asyncio.ensure_future(labgate.ask(request(b"/slow")))
        await waiting.wait()
        await until(lambda: len(labgate.captured) == 2)
        _, one = labgate.captured
        assert (one.open, one.status, one.target) == (True, 0, "/slow")
        steps[0].set()
        await until(lambda: one.status == 200)
        assert one.open
        assert one.sent_down is not None
        steps[1].set()
        await asked
        assert (one.open, one.status, one.bytes_down) == (False, 200, 2)
