"""Every case of ``requests/*.http``, in one piece and byte by byte."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import nullcontext

import pytest

from tests.edges import edge, enforcing_timeouts
from tests.fronts import front
from tests.upstreams import upstream
from tests.wire.corpus import Case, filled, judge_content, load
from tests.wire.differences import on_this_front
from tests.wire.messages import Message
from tests.wire.talk import FOLLOW_UP, NEXT, SEEN, Client, Recorder, Taps, pieces, within

REQUEST_ID = re.compile(rb"X-Request-Id: [0-9a-f]{12}-[0-9a-f]+\r\n(?=\r\n)")
"""The last field of each request that goes up; the corpus leaves it out, because it differs."""

CASES = on_this_front(load("requests"))


def answer(request: Message) -> Sequence[bytes]:
    if request.head.startswith(b"GET /follow-up "):
        return [NEXT]
    return [SEEN.removesuffix(b"seen") if request.head.startswith(b"HEAD ") else SEEN]


@pytest.mark.parametrize("segments", ["whole", "bytes"])
@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
async def test_request(case: Case, segments: str, taps: Taps, seconds: float) -> None:
    connection = case.one("connection")
    keep = connection in ("keep", "either")
    recorder = Recorder(answer)
    finals = [status for status in case.statuses if status >= 200]
    method = b"HEAD" if case.raw.startswith(b"HEAD ") else b"GET"
    async with (
        within(seconds, recorder),
        upstream(recorder) as jupyter,
        edge(jupyter.address) as labgate,
        enforcing_timeouts(labgate) if front() == "mounted" else nullcontext(),
    ):
        client = await Client.to(labgate, method, *[b"GET"] * (len(finals) - 1 + keep))
        sent = [case.raw] if segments == "whole" else pieces(case.raw)
        await client.send(sent, taps.edge)
        if keep:
            await client.until(len(finals))
            answers = client.responses()
            ends = bool(answers) and answers[-1].ends
            if connection == "keep" or not ends:
                client.writer.write(FOLLOW_UP)
        await client.until_end()
        authority = jupyter.address.origin.authority
    judge_upstream(case, recorder, authority, keep)
    judge_answers(case, client, keep)


def judge_upstream(case: Case, recorder: Recorder, authority: str, keep: bool) -> None:
    raw = b"".join(bytes(received) for received in recorder.connections)
    arrived = recorder.requests()
    second = bool(arrived) and arrived[-1].head.startswith(b"GET /follow-up HTTP/1.1\r\n")
    if second:
        arrived.pop()
    assert second or not keep or case.one("connection") == "either", "nothing came after it"
    whole = [message for message in arrived if message.complete]
    match case.one("upstream"):
        case "none":
            assert arrived == []
        case "incomplete":
            assert whole == []
        case "once":
            assert len(whole) == len(arrived) == 1
        case "any":
            assert len(whole) == len(arrived)
        case "some":
            assert len(whole) == len(arrived) > 0
        case "twice":
            assert len(whole) == len(arrived) == 2
        case other:
            pytest.fail(f"unknown expectation {other}")
    if case.upstream is not None:
        expected = filled(case.upstream, authority)
        sent = b"".join(REQUEST_ID.sub(b"", message.head) + message.content for message in whole)
        assert sent == expected
    for text in case.all("up-has"):
        assert text.lower() in raw.lower()
    for text in case.all("up-lacks"):
        assert text.lower() not in raw.lower()


def judge_answers(case: Case, client: Client, keep: bool) -> None:
    answers = client.responses()
    assert all(message.complete for message in answers), "an answer breaks off"
    if keep and (case.one("connection") == "keep" or len(answers) > len(case.statuses)):
        assert answers, "no answer at all"
        assert answers[-1].content == b"next", "the second exchange got another answer"
        answers.pop()
    statuses = [message.status for message in answers]
    assert case.answered_by(statuses), statuses
    connection = case.one("connection")
    if connection == "either":
        assert client.ended in ("close", "reset")  # it may still have been sending
    else:
        assert client.ended == ("close" if connection == "keep" else connection)
    if connection == "close" and answers:
        # RFC 9112 section 9.6: a server that means to close says so.
        assert answers[-1].ends
    judge_content(case, client.received, answers)
