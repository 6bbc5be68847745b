"""Every case of ``http2/*.frames``, in one piece and in small ones."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence

import pytest

from proxy.http2.server_connection import Http2Connection
from tests.http2 import frames
from tests.http2.raw_client import RawClient
from tests.http2.secured import secured
from tests.upstreams import upstream
from tests.wire.corpus import filled, unescaped
from tests.wire.http2_corpus import FramesCase, load
from tests.wire.messages import Message
from tests.wire.talk import NEXT, SEEN, Recorder, Tap, within

CASES = load()
FOLLOW_UP = 301
REQUEST_ID = re.compile(rb"X-Request-Id: [0-9a-f]{12}-[0-9a-f]+\r\n")
PIECES = 400
"""At most; a TLS record each."""


def answer(request: Message) -> Sequence[bytes]:
    if request.head.startswith(b"GET /follow-up "):
        return [NEXT]
    return [SEEN.removesuffix(b"seen") if request.head.startswith(b"HEAD ") else SEEN]


@pytest.fixture
def tap(monkeypatch: pytest.MonkeyPatch) -> Tap:
    """Counts what labgate has taken."""
    tap, taken = Tap(), Http2Connection.data_received

    def data_received(connection: Http2Connection, data: bytes) -> None:
        taken(connection, data)
        tap.took(len(data))

    monkeypatch.setattr(Http2Connection, "data_received", data_received)
    return tap


@pytest.mark.parametrize("segments", ["whole", "pieces"])
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
async def test_frames(case: FramesCase, segments: str, tap: Tap, seconds: float) -> None:
    recorder = Recorder(answer)
    connection = case.one("connection", "keep")
    async with (
        within(seconds, recorder),
        upstream(recorder) as jupyter,
        secured(jupyter.address) as running,
    ):
        client = await running.connect_silently()
        if segments == "whole":
            client.writer.write(case.sent)
        else:
            await send_in_pieces(client, case.sent, tap)
        for number in case.streams:
            await client.until_ended(number)
        if connection == "keep":
            path = b"/follow-up"
            client.send(frames.get(FOLLOW_UP, path), frames.window_update(FOLLOW_UP, 100))
            assert (await client.response(FOLLOW_UP)).content == b"next"
        elif connection == "end":
            await tap.until(len(case.sent))
            running.server.drain()
            await running.server.shutdown(timeout=0.5)
            await client.until(lambda: client.closed)
        elif connection != "any":
            await client.until(lambda: client.goaway)
            assert client.goaway == connection.removeprefix("goaway ")
        authority = jupyter.address.origin.authority
        await client.close()
    judge_streams(case, client)
    judge_upstream(case, recorder, authority, follow_up=connection == "keep")


async def send_in_pieces(client: RawClient, sent: bytes, tap: Tap) -> None:
    """Each piece once labgate has taken the one before."""
    size = len(sent) // PIECES + 1
    for start in range(0, len(sent), size):
        if client.goaway or client.closed:
            return
        piece = sent[start : start + size]
        goal = tap.taken + len(piece)
        client.writer.write(piece)
        taking = asyncio.ensure_future(tap.until(goal))
        leaving = asyncio.ensure_future(client.until(lambda: client.goaway))
        try:
            await asyncio.wait({taking, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (taking, leaving):
                task.cancel()
            await asyncio.gather(taking, leaving, return_exceptions=True)


def judge_streams(case: FramesCase, client: RawClient) -> None:
    for number, expected in case.streams.items():
        stream = client.streams[number]
        # A client that still sends is asked to stop; else nothing is reset behind a response.
        complete = stream.ended and stream.reset in ("", "NO_ERROR", "STREAM_CLOSED")
        seen = str(stream.statuses[-1]) if complete else f"reset {stream.reset}"
        assert seen in expected.split(" or ")


def judge_upstream(
    case: FramesCase, recorder: Recorder, authority: str, *, follow_up: bool
) -> None:
    raw = b"".join(bytes(received) for received in recorder.connections)
    arrived = recorder.requests()
    if follow_up:
        last = [one for one in arrived if one.head.startswith(b"GET /follow-up HTTP/1.1\r\n")]
        assert len(last) == 1, "nothing came after it"
        arrived.remove(last[0])
    whole = [message for message in arrived if message.complete]
    match case.one("upstream", "once"):
        case "none":
            assert arrived == []
        case "incomplete":
            assert whole == []
        case "once":
            assert len(whole) == len(arrived) == 1
        case "twice":
            assert len(whole) == len(arrived) == 2
        case "any":
            pass
        case other:
            pytest.fail(f"unknown expectation {other}")
    if case.upstream is not None:
        expected = filled(case.upstream, authority).replace(b"Via: 1.1", b"Via: 2.0")
        forwarded = b"".join(message.head + message.content for message in whole)
        assert REQUEST_ID.sub(b"", forwarded) == expected
    for text in case.expected.get("up-has", []):
        assert unescaped(text).lower() in raw.lower()
    for text in case.expected.get("up-lacks", []):
        assert unescaped(text).lower() not in raw.lower()
