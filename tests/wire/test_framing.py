"""Whatever the framing and however TCP cuts it: what is sent is what arrives."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.edges import edge
from tests.upstreams import OK, Visit, upstream
from tests.wire import messages
from tests.wire.talk import LIMIT_SECONDS, Client, Recorder, within

CASES = settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Framed:
    """A message's content, and how it was put on the wire."""

    framing: str
    content: bytes
    wire: bytes


@st.composite
def chunks(draw: st.DrawFn) -> Framed:
    parts = draw(st.lists(st.binary(min_size=1, max_size=300), max_size=6))
    wire = b""
    for part in parts:
        size = (b"%x" if draw(st.booleans()) else b"%X") % len(part)
        size = b"0" * draw(st.integers(0, 3)) + size
        wire += size + draw(extensions) + b"\r\n" + part + b"\r\n"
    wire += b"0" * draw(st.integers(1, 3)) + draw(extensions) + b"\r\n\r\n"
    return Framed("chunked", b"".join(parts), wire)


extensions = st.sampled_from([b"", b"", b";a", b";a=b", b';a="b c";d', b';q="\\"x"'])
lengths = st.binary(max_size=2000).map(lambda data: Framed("length", data, data))
until_end = st.binary(max_size=2000).map(lambda data: Framed("end", data, data))
cuts = st.lists(st.integers(1, 400), max_size=12)


def cut(data: bytes, sizes: Sequence[int]) -> list[bytes]:
    """The data in pieces of these sizes, over and over."""
    pieces: list[bytes] = []
    at = turn = 0
    while at < len(data):
        size = sizes[turn % len(sizes)] if sizes else len(data)
        pieces.append(data[at : at + size])
        at, turn = at + size, turn + 1
    return pieces


def head_of(framed: Framed, start: bytes, *fields: bytes) -> bytes:
    lines = [start, *fields]
    if framed.framing == "length":
        lines.append(b"Content-Length: %d" % len(framed.content))
    elif framed.framing == "chunked":
        lines.append(b"Transfer-Encoding: chunked")
    return b"\r\n".join([*lines, b"", b""])


@CASES
@given(st.lists(st.tuples(st.one_of(chunks(), lengths, until_end), cuts), min_size=1, max_size=5))
async def test_responses_arrive_as_they_were_sent(answers: list[tuple[Framed, list[int]]]) -> None:
    waiting = list(answers)

    async def speak(visit: Visit) -> None:
        while True:
            await visit.head()
            framed, sizes = waiting.pop(0)
            data = head_of(framed, b"HTTP/1.1 200 OK") + framed.wire
            for piece in cut(data, sizes):
                await visit.say(piece)
                await asyncio.sleep(0)
            if framed.framing == "end":
                return

    async with within(LIMIT_SECONDS), upstream(speak) as jupyter, edge(jupyter.address) as labgate:
        client = await Client.to(labgate, *[b"GET"] * len(answers))
        get = b"GET / HTTP/1.1\r\nHost: lab.example.org\r\n"
        client.writer.write((get + b"\r\n") * (len(answers) - 1))
        client.writer.write(get + b"Connection: close\r\n\r\n")
        await client.until_end()
        assert [one.content for one in client.responses()] == [
            framed.content for framed, _ in answers
        ]
        assert client.ended == "close"


@CASES
@given(st.lists(st.one_of(chunks(), lengths), min_size=1, max_size=5), cuts)
async def test_requests_arrive_as_they_were_sent(sent: list[Framed], sizes: list[int]) -> None:
    """One after the other; a connection that labgate ends is opened anew."""
    recorder = Recorder(lambda _: [OK])
    async with (
        within(LIMIT_SECONDS, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        client = await Client.to(labgate, *[b"POST"] * len(sent))
        answered = 0
        for number, framed in enumerate(sent):
            if client.ended:
                client, answered = await Client.to(labgate, *[b"POST"] * len(sent)), 0
            start = b"POST /%d HTTP/1.1" % number
            for piece in cut(head_of(framed, start, b"Host: lab.example.org") + framed.wire, sizes):
                client.writer.write(piece)
                await asyncio.sleep(0)
            answered += 1
            await client.until(answered)
            last = client.responses()[-1]
            assert last.status == 200
            if last.values(b"connection") == [b"close"]:
                await client.until_end()
        authority = jupyter.address.origin.authority.encode()
    arrived = recorder.requests()
    assert [one.content for one in arrived] == [framed.content for framed in sent]
    assert all(one.complete and one.values(b"host") == [authority] for one in arrived)
    targets = [one.head.split(b" ")[1] for one in arrived]
    assert targets == [b"/%d" % number for number in range(len(sent))]


nothing = st.just(Framed("none", b"", b""))


@CASES
@given(
    st.lists(st.one_of(nothing, lengths), max_size=4), st.one_of(nothing, lengths, chunks()), cuts
)
async def test_pipelined_requests_arrive_in_order(
    sent: list[Framed], last: Framed, sizes: list[int]
) -> None:
    """Behind chunked content labgate ends the connection, so it comes last."""
    recorder = Recorder(lambda _: [OK])
    framed = [*sent, last]
    data = b"".join(
        head_of(one, b"PUT /%d HTTP/1.1" % number, b"Host: lab.example.org") + one.wire
        for number, one in enumerate(framed)
    )
    async with (
        within(LIMIT_SECONDS, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        client = await Client.to(labgate, *[b"PUT"] * len(framed))
        for piece in cut(data, sizes):
            client.writer.write(piece)
            await asyncio.sleep(0)
        await client.until(len(framed))
        found, _ = messages.responses(client.received, client.methods, ended=False)
        assert [one.status for one in found] == [200] * len(framed)
    arrived = recorder.requests()
    assert [one.content for one in arrived] == [one.content for one in framed]
    assert [one.head.split(b" ")[1] for one in arrived] == [
        b"/%d" % at for at in range(len(framed))
    ]


GOOD = b"PUT /a HTTP/1.1\r\nHost: lab.example.org\r\nContent-Length: 5\r\nX-A: b\r\n\r\n"
NOISE = [b"", *(bytes([octet]) for octet in b"\r\n\t :,0\0\x0b\x7f\xff"), b"\r\n", b"\r\n\r\n"]
SECOND = b"GET /second HTTP/1.1\r\nHost: lab.example.org\r\nConnection: close\r\n\r\n"


@CASES
@given(st.integers(0, len(GOOD)), st.integers(0, 2), st.sampled_from(NOISE), cuts)
async def test_a_mutated_head_is_refused_or_forwarded_whole(
    at: int, removed: int, noise: bytes, sizes: list[int]
) -> None:
    """``Recorder.requests`` raises for whatever a strict reader would not take."""
    recorder = Recorder(lambda _: [OK])
    async with (
        within(LIMIT_SECONDS, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        client = await Client.to(labgate, b"PUT", b"GET")
        for piece in cut(GOOD[:at] + noise + GOOD[at + removed :] + b"12345" + SECOND, sizes):
            client.writer.write(piece)
            await asyncio.sleep(0)
        client.writer.write_eof()
        await client.until_end()
    arrived = recorder.requests()
    assert len(arrived) <= 2
    for one in arrived[1:]:
        assert one.head.startswith(b"GET /second HTTP/1.1\r\n")
        assert arrived[0].content == b"12345"
