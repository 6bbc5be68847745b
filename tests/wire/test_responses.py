"""Every case of ``responses/*.http``: a broken or hostile Jupyter, and which client gets what.

``make test-http2`` runs them through HTTP/2: a response that is reset there is a stream's.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.edges import edge
from tests.fronts import front
from tests.upstreams import upstream
from tests.wire.corpus import Case, judge_content, load
from tests.wire.messages import Message
from tests.wire.talk import FOLLOW_UP, NEXT, Client, Recorder, Taps, pieces, within

# Nobody speaks HTTP/2 and is as old as HTTP/1.0.
CASES = [
    case for case in load("responses") if front() != "http2" or case.one("version", "1.1") != "1.0"
]


@pytest.mark.parametrize("segments", ["whole", "bytes"])
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
async def test_response(case: Case, segments: str, taps: Taps, seconds: float) -> None:
    def answer(request: Message) -> Sequence[bytes]:
        if request.head.startswith(b"GET /follow-up "):
            return [NEXT]
        return [case.raw] if segments == "whole" else pieces(case.raw)

    method = case.one("method", "GET").encode()
    version = case.one("version", "1.1").encode()
    recorder = Recorder(
        answer,
        tap=taps.upstream,
        close_after=1 if case.one("then", "keep") == "close" else 0,
    )
    connection = case.one("connection")
    async with (
        within(seconds, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
    ):
        client = await Client.to(labgate, method, b"GET")
        client.writer.write(
            b"%b /case HTTP/%b\r\nHost: lab.example.org\r\n\r\n" % (method, version)
        )
        if connection == "keep":
            await client.until(1)
        else:
            await client.until_end()
        await recorder.said.wait()
        if connection == "keep":
            client.writer.write(FOLLOW_UP)
            await client.until_end()
        else:
            second = await Client.to(labgate, b"GET")
            second.writer.write(FOLLOW_UP)
            await second.until_end()
            assert [one.content for one in second.responses()] == [b"next"]
        if case.one("pool", "dropped") == "dropped":
            await recorder.ended[0].wait()
    judge(case, client, recorder)


def judge(case: Case, client: Client, recorder: Recorder) -> None:
    connection = case.one("connection")
    answers = client.responses()
    if connection == "keep":
        assert answers.pop().content == b"next", "the second exchange got another answer"
    assert [one.status for one in answers] == case.statuses
    assert client.ended == ("close" if connection == "keep" else connection)
    if answers:
        assert answers[-1].complete == (connection != "reset")
    assert len(recorder.requests()) == 2, "a request was delivered twice, or never"
    assert len(recorder.connections) == (1 if case.one("pool", "dropped") == "reused" else 2)
    judge_content(case, client.received, answers)
