"""An unreachable Jupyter is logged once, on real sockets."""

from __future__ import annotations

import re

import pytest

from proxy.proxying.outage import Outage
from tests.edges import edge, request
from tests.upstreams import OK, Visit, says, upstream


async def closes(visit: Visit) -> None:
    """As docker's proxy does for a container in which nothing listens yet."""
    await visit.head()


async def test_one_line_for_an_outage_and_one_for_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    away = True

    async def jupyter(visit: Visit) -> None:
        await (closes if away else says(OK, close=True))(visit)

    async with upstream(jupyter) as behind, edge(behind.address) as labgate:
        for _ in range(3):
            answer = await labgate.ask(request(b"/api/status?token=secret"))
            assert answer.startswith(b"HTTP/1.1 503 ")
        assert (await labgate.ask(request(b"/.labgate/health"))).startswith(b"HTTP/1.1 200 ")
        name = labgate.records[0].request_id.decode()
        warning = (
            f"GET /api/status?token=[redacted] from 127.0.0.1 [{name}]: the upstream closed the "
            "connection without an answer; requests get 503 until Jupyter answers, without "
            "a line for each"
        )
        assert caplog.messages == [warning], "what labgate answers itself does not end it"
        away = False
        for _ in range(2):
            assert (await labgate.ask(request())).startswith(b"HTTP/1.1 200 ")
        assert re.fullmatch(r"Jupyter answers now: 3 requests got 503 in \d s", caplog.messages[1])
        # Another outage so soon is not logged: Jupyter may come and go.
        away = True
        await labgate.ask(request())
        away = False
        await labgate.ask(request())
    assert len(caplog.messages) == 2


def test_nothing_ends_that_has_not_begun(caplog: pytest.LogCaptureFixture) -> None:
    Outage("Jupyter").end()
    assert not caplog.messages


async def test_a_fault_of_one_answer_is_logged_each_time(caplog: pytest.LogCaptureFixture) -> None:
    async with (
        upstream(says(b"SSH-2.0\r\n\r\n", close=True)) as behind,
        edge(behind.address) as labgate,
    ):
        for _ in range(2):
            await labgate.ask(request())
    assert len(caplog.messages) == 2
