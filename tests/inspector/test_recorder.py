"""What is captured of each exchange, on real connections."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace

import pytest

from proxy.inspector.captured_heads import ID_OCTETS
from proxy.inspector.exchange import Exchange
from proxy.inspector.recorder import Recorder
from proxy.inspector.ring import Ring
from proxy.inspector.snapshot import SnapshotValues
from proxy.net.upstream_address import UpstreamAddress
from proxy.rules.site import make_site
from tests.edges import PUBLIC, Edge, edge, request
from tests.heads import JUPYTER
from tests.proxying.test_messages import SWITCH
from tests.upstreams import OK, Visit, says, upstream

from .test_frames import frame_bytes
from .test_kernel_messages import MESSAGE

ORIGIN = b"Origin: https://lab.example.org"
KERNEL = b"/api/kernels/1/channels"
HANDSHAKE = (b"Connection: Upgrade", b"Upgrade: websocket", ORIGIN)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110  it is looked at now and then, as a page would
            await asyncio.sleep(0.01)


def only(labgate: Edge) -> Exchange:
    [exchange] = labgate.captured
    return exchange


async def test_all_four_heads_of_a_request_that_goes_up() -> None:
    answer = b"HTTP/1.1 200 OK\r\nSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nok"
    async with upstream(says(answer)) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        await labgate.ask(request(b"/lab?token=x", ORIGIN, b"TE: trailers"))
        one = only(labgate)
    assert one.received.line == "GET /lab?token=[redacted] HTTP/1.1"
    assert one.received.value("origin") == "https://lab.example.org"
    assert one.sent_up is not None
    assert one.sent_up.line == one.received.line
    assert one.sent_up.value("origin") == f"http://127.0.0.1:{jupyter.address.port}"
    assert one.sent_up.value("te") == ""
    assert one.answered is not None
    assert one.answered.value("set-cookie") == "a=[redacted]"
    assert one.sent_down is not None
    assert one.sent_down.line == "HTTP/1.1 200 OK"
    assert one.sent_down.value("set-cookie") == "a=[redacted]; Secure; SameSite=Lax"
    assert {change.rule for change in one.changes_up} >= {"host", "origin", "hop-by-hop"}
    assert {change.rule for change in one.changes_down} >= {"set-cookie"}
    assert (one.status, one.outcome, one.open, one.bytes_down) == (200, "forwarded", False, 2)
    times = one.times
    assert times.sent_up is not None
    assert times.first_octet is not None
    assert times.sent_down is not None
    assert times.last_octet is not None
    assert 0 <= times.sent_up <= times.first_octet <= times.sent_down <= times.last_octet


async def test_a_refusal() -> None:
    async with edge(None) as labgate:
        labgate.inspect()
        answer = await labgate.ask(request(b"/", b"Origin: https://evil.example"))
        one = only(labgate)
    assert (one.status, one.rule, one.would_refuse) == (403, "origin", False)
    assert one.bytes_down == len(answer.partition(b"\r\n\r\n")[2]) > 0
    assert one.reason.startswith("Origin: 'https://evil.example'. A page of another site")
    assert one.sent_up is None
    assert one.sent_down is not None


async def test_observing_captures_what_would_be_refused_and_jupyters_answer() -> None:
    answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"
    async with upstream(says(answer)) as jupyter:
        site = replace(make_site((PUBLIC,), jupyter.address.origin), observe=True)
        async with edge(jupyter.address, site=site) as labgate:
            labgate.inspect()
            await labgate.ask(request(b"/api", b"Origin: https://evil.example"))
            one = only(labgate)
    assert (one.status, one.rule, one.would_refuse) == (404, "origin", True)
    assert one.sent_up is not None
    assert one.sent_up.value("host") == "lab.example.org"
    assert one.sent_up.value("origin") == "https://evil.example"


@pytest.mark.parametrize(
    "fields",
    [
        (b"Host: evil.example:80", b"Origin: http://evil.example:80"),
        (b"Host: LAB.example.org:443 ", b"Origin: https://evil.example"),
        (b"Host: lab.example.org", b"Origin: null", b"Referer: https://evil.example/a?b=c"),
        (b"Host: lab.example.org", b"Origin: https://evil.example", b"Referer: HTTPS://Lab.x/"),
        (b"Host: evil.example", b"Referer: https://lab.example.org/lab"),
    ],
)
async def test_observing_what_would_be_refused_goes_up_as_it_came(
    fields: tuple[bytes, ...],
) -> None:
    async with upstream(says(OK)) as jupyter:
        site = replace(make_site((PUBLIC,), jupyter.address.origin), observe=True)
        async with edge(jupyter.address, site=site) as labgate:
            labgate.inspect()
            lines = [b"GET /api HTTP/1.1", *fields, b"Connection: close", b"", b""]
            await labgate.ask(b"\r\n".join(lines))
            assert only(labgate).would_refuse
        lines = jupyter.heads.split(b"\r\n")
    assert [line for line in lines if line.startswith((b"Host", b"Origin", b"Referer"))] == [
        field.strip() for field in fields
    ]
    assert b"X-Forwarded-Host: " + fields[0].strip()[6:] in lines


async def test_observing_while_jupyter_is_away_tells_both() -> None:
    async with edge(None, site=replace(make_site((PUBLIC,), JUPYTER), observe=True)) as labgate:
        labgate.inspect()
        await labgate.ask(request(b"/api", b"Origin: https://evil.example"))
        one = only(labgate)
    assert (one.status, one.rule, one.would_refuse) == (503, "origin", True)
    assert one.symptom == "upstream-down"


async def test_jupyter_that_is_away() -> None:
    async with edge(None) as labgate:
        labgate.inspect()
        await labgate.ask(request(b"/lab"))
        one = only(labgate)
    assert (one.status, one.sent_up, one.answered) == (503, None, None)
    assert one.outcome


async def test_content_without_its_secrets() -> None:
    form = b"_xsrf=s3cret&password=s3cret&next=x"
    page = b'{"token": "s3cret", "name": "A.ipynb"}'
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"

    async def read(visit: Visit) -> None:
        await visit.head()
        await visit.exactly(len(form))
        await visit.say(head + b"Content-Length: %d\r\n\r\n%b" % (len(page), page))

    fields = (b"Content-Type: application/x-www-form-urlencoded", b"Content-Length: %d" % len(form))
    async with upstream(read) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        await labgate.ask(request(b"/login", *fields, method=b"POST", content=form))
        one = only(labgate)
    assert one.content_up is not None
    assert one.content_up.text == "_xsrf=[redacted]&password=[redacted]&next=x"
    assert (one.content_up.octets, one.content_up.whole) == (len(form), True)
    assert one.content_down is not None
    assert json.loads(one.content_down.text) == {"token": "[redacted]", "name": "A.ipynb"}


async def test_a_websocket_of_a_kernel() -> None:
    message = json.dumps(MESSAGE).encode()

    async def kernel(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH + frame_bytes(message))
        await visit.exactly(len(masked))

    masked = frame_bytes(b'{"channel": "shell", "header": {"msg_type": "x"}}', mask=b"mask")
    async with upstream(kernel) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        reader, writer = await labgate.connect()
        lines = [b"GET " + KERNEL + b" HTTP/1.1", b"Host: lab.example.org", *HANDSHAKE]
        writer.write(b"\r\n".join([*lines, b"", b""]))
        await reader.readuntil(b"\r\n\r\n")
        await reader.readexactly(len(frame_bytes(message)))
        one = only(labgate)
        assert one.open
        writer.write(masked)
        await reader.read()
        writer.close()
        await labgate.recorded.wait()
    assert (one.websocket, one.status, one.outcome, one.open) == (True, 101, "tunnelled", False)
    assert [(m.up, m.kind, m.words) for m in one.messages] == [
        (False, "text", "iopub execute_input [3]"),
        (True, "text", "shell x"),
    ]
    assert "secret()" in one.messages[0].text
    assert (one.bytes_up, one.bytes_down) == (len(masked), len(frame_bytes(message)))


async def test_one_that_was_open_before_is_counted_only() -> None:
    async def quiet(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH)
        await visit.exactly(6)
        await visit.say(frame_bytes(b"secret()"))

    async with upstream(quiet) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        lines = [b"GET " + KERNEL + b"?token=x HTTP/1.1", b"Host: lab.example.org", *HANDSHAKE]
        writer.write(b"\r\n".join([*lines, b"", b""]))
        await reader.readuntil(b"\r\n\r\n")
        labgate.inspect()
        one = only(labgate)
        assert (one.websocket, one.status, one.open, one.messages) == (True, 101, True, [])
        assert one.target == "/api/kernels/1/channels?token=[redacted]"
        assert one.received.fields == ()
        writer.write(b"sixsix")
        assert await reader.read() == frame_bytes(b"secret()")
        labgate.inspect()
        assert only(labgate) is one
        assert (one.bytes_up, one.bytes_down) == (6, 10)
        writer.close()
        await labgate.recorded.wait()
    assert (one.open, one.outcome) == (False, "open before the capture: octets only")
    assert one.times.last_octet is not None


async def test_counting_ends_with_the_last_one_that_was_open_before() -> None:
    async def quiet(visit: Visit) -> None:
        await visit.head()
        await visit.say(SWITCH)
        await visit.exactly(1)

    async with upstream(quiet) as jupyter, edge(jupyter.address) as labgate:
        reader, writer = await labgate.connect()
        lines = [b"GET " + KERNEL + b" HTTP/1.1", b"Host: lab.example.org", *HANDSHAKE]
        writer.write(b"\r\n".join([*lines, b"", b""]))
        await reader.readuntil(b"\r\n\r\n")
        recorder = Recorder(labgate.captured)
        labgate.dispatcher.services.use_recorder(recorder)
        assert recorder.counting
        writer.write(b"x")
        await reader.read()
        writer.close()
        await labgate.recorded.wait()
        await until(lambda: not recorder.counting)


async def test_one_that_takes_long_is_shown_while_it_runs() -> None:
    waiting, go_on = asyncio.Event(), asyncio.Event()

    async def slow(visit: Visit) -> None:
        await visit.head()
        waiting.set()
        await go_on.wait()
        await visit.say(OK)

    async with upstream(slow) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        asked = asyncio.ensure_future(labgate.ask(request(b"/slow")))
        await waiting.wait()
        await until(lambda: bool(len(labgate.captured)))
        one = only(labgate)
        assert (one.open, one.status, one.target) == (True, 0, "/slow")
        assert one.sent_up is not None
        assert one.times.first_octet is None
        go_on.set()
        await asked
        assert only(labgate) is one
        assert (one.open, one.status) == (False, 200)


async def test_a_handshake_that_takes_long_is_a_websockets() -> None:
    """A kernel needs seconds to start; its socket is shown before it is one."""

    async def slow(visit: Visit) -> None:
        await visit.head()
        await until(lambda: bool(len(labgate.captured)))
        await visit.say(SWITCH)

    async with upstream(slow) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        reader, writer = await labgate.connect()
        lines = [b"GET " + KERNEL + b" HTTP/1.1", b"Host: lab.example.org", *HANDSHAKE]
        writer.write(b"\r\n".join([*lines, b"", b""]))
        await reader.readuntil(b"\r\n\r\n")
        one = only(labgate)
        assert (one.status, one.websocket, one.open) == (101, True, True)


async def test_a_finished_recording_is_no_garbage_cycle() -> None:
    """Thousands of them would wait for the collector, and every client would wait for it."""
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        await labgate.ask(request())
        [record] = labgate.records
        assert record.recording is None


class WatchedRing(Ring):
    """Has what was kept, as it was then."""

    kept = ""

    def keep(self, snapshot: SnapshotValues) -> None:
        self.kept += repr(snapshot)
        super().keep(snapshot)


async def test_what_ends_is_captured_at_once() -> None:
    """Nobody has to look for its secrets to go."""
    ring = WatchedRing()
    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.dispatcher.services.use_recorder(Recorder(ring))
        await labgate.ask(request(b"/?token=s3cret", b"Cookie: a=s3cret"))
    assert ring.kept.count("[redacted]") >= 2
    assert "s3cret" not in ring.kept


async def test_what_ends_after_the_end_of_the_capture_is_captured_too() -> None:
    async def slow(visit: Visit) -> None:
        await visit.head()
        labgate.dispatcher.services.use_recorder(None)
        await visit.say(OK)

    async with upstream(slow) as jupyter, edge(jupyter.address) as labgate:
        labgate.dispatcher.services.use_recorder(Recorder(labgate.captured))
        await labgate.ask(request())
        assert len(labgate.captured) == 1


async def test_times_until_the_request_went_up() -> None:
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        await labgate.ask(request())
        await labgate.ask(request())
        first, second = labgate.captured
    for one in (first, second):
        assert one.times.queue is not None
        assert one.times.sent_up is not None
        assert 0 <= one.times.queue <= one.times.sent_up
        assert one.times.tls is None
    first_dial, sent_up = first.times.dial, first.times.sent_up
    assert first_dial is not None
    assert sent_up is not None
    assert 0 < first_dial <= sent_up
    assert second.times.dial is None


async def test_switched_off_nothing_more_is_captured() -> None:
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect()
        await labgate.ask(request())
        labgate.dispatcher.services.use_recorder(None)
        await labgate.ask(request())
    assert len(labgate.captured) == 1


async def test_own_paths_show_nothing_of_jupyter() -> None:
    async with edge(UpstreamAddress("127.0.0.1", JUPYTER.port)) as labgate:
        labgate.inspect()
        await labgate.ask(request(b"/.labgate/health"))
        one = only(labgate)
    assert (one.status, one.outcome, one.sent_up) == (200, "answered here", None)


async def test_the_ring_weighs_what_its_texts_hold() -> None:
    """Also where values are long: a bound in octets that counted fields would be none."""
    fields = b"".join(b"X-%d: %b\r\n" % (number, b"x" * 3000) for number in range(60))
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n%b\r\nok" % fields
    long = b"X-Long: " + b"y" * 3000
    async with upstream(says(answer)) as jupyter, edge(jupyter.address) as labgate:
        recorder = Recorder(labgate.captured)
        labgate.dispatcher.services.use_recorder(recorder)
        await labgate.ask(request(b"/?q=" + b"z" * 1000, long))
        octets = labgate.captured.octets
        one = only(labgate)
    assert one.sent_up is not None
    assert one.answered is not None
    assert one.sent_down is not None
    heads = (one.received, one.sent_up, one.answered, one.sent_down)
    texts = sum(len(value) for head in heads for _, value in head.fields)
    assert texts > 360_000
    assert texts < one.octets <= octets <= one.octets + ID_OCTETS
