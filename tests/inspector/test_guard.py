"""A fault of the inspector's is seen by nobody whose traffic it watches."""

from __future__ import annotations

from typing import NoReturn

import pytest

from proxy.inspector.exchange import Exchange
from proxy.inspector.inspector import Inspector
from proxy.inspector.recorder import CaptureOptions
from proxy.inspector.ring import Ring
from tests.edges import Edge, edge, request
from tests.upstreams import OK, says, upstream
from tests.wire.test_tunnels import HANDSHAKE, echo


def fail(_exchange: Exchange) -> NoReturn:
    raise ValueError("a fault of a listener")


def faults(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.message for one in caplog.records if one.levelname == "ERROR"]


ONCE = ["fault in the inspector, which is off now"]


async def test_a_response_is_complete_whatever_listens(caplog: pytest.LogCaptureFixture) -> None:
    async with upstream(says(OK, OK)) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect().captured.listen(fail)
        for _ in range(2):
            assert (await labgate.ask(request())).endswith(b"\r\n\r\nok")
        assert labgate.services.recorder is None
        assert labgate.open_requests.count == 0
    assert faults(caplog) == ONCE


async def test_a_request_is_answered_that_cannot_be_recorded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Full(Ring):
        def reserve(self) -> NoReturn:
            raise MemoryError

    async with upstream(says(OK)) as jupyter, edge(jupyter.address) as labgate:
        inspector = Inspector(Full(), labgate.services.use_recorder)
        inspector.switch(CaptureOptions())
        assert (await labgate.ask(request())).endswith(b"\r\n\r\nok")
        assert inspector.options is None
        assert labgate.open_requests.count == 0
    assert faults(caplog) == ONCE


async def opened_and_echoed(labgate: Edge) -> bytes:
    reader, writer = await labgate.connect()
    writer.write(HANDSHAKE)
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.write(b"\x81\x84mask" + bytes(4))
    return await reader.readexactly(10)


@pytest.mark.parametrize("from_the_start", [True, False])
async def test_a_websocket_goes_on(caplog: pytest.LogCaptureFixture, from_the_start: bool) -> None:
    """Also one whose messages cannot be read any more later."""
    exchanges = 0

    def fail_later(exchange: Exchange) -> None:
        nonlocal exchanges
        exchanges += 1
        if from_the_start or exchanges > 1:
            fail(exchange)

    async with upstream(echo) as jupyter, edge(jupyter.address) as labgate:
        labgate.inspect().captured.listen(fail_later)
        assert await opened_and_echoed(labgate) == b"\x81\x84mask" + bytes(4)
        assert labgate.services.recorder is None
    assert faults(caplog) == ONCE
