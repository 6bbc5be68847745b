"""What follows from a head for the connection that it came on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from proxy.rules.message import check_hops, check_message, connection_facts
from tests.heads import HOST, get

V1_0, V1_1 = (1, 0), (1, 1)
UPGRADE = (b"Connection: Upgrade", b"Upgrade: websocket")

PERSISTENT = [
    (V1_1, b"GET", (), True),
    (V1_1, b"POST", (b"Content-Length: 5",), True),
    (V1_1, b"GET", (b"Connection: x, Close",), False),
    (V1_1, b"GET", (b"Connection: x", b"Connection: close"), False),
    (V1_1, b"GET", (b"Connection: keep-alive",), True),
    (V1_0, b"GET", (), False),
    (V1_0, b"GET", (b"Connection: x",), False),
    (V1_0, b"GET", (b"Connection: x", b"Connection: Keep-Alive"), True),
    (V1_0, b"GET", (b"Connection: close, keep-alive",), False),
    # Another parser could find the end elsewhere.
    (V1_1, b"POST", (b"Transfer-Encoding: chunked",), False),
    # The client may use another protocol from here on.
    (V1_1, b"CONNECT", (), False),
    (V1_1, b"GET", (b"Connection: Upgrade", b"Upgrade: h2c"), False),
    (V1_1, b"GET", UPGRADE, True),
]


@pytest.mark.parametrize(("version", "method", "lines", "persistent"), PERSISTENT)
def test_whether_another_request_may_follow(
    version: tuple[int, int], method: bytes, lines: tuple[bytes, ...], persistent: bool
) -> None:
    head = replace(get(HOST, *lines, method=method), version=version)
    assert connection_facts(head).persistent is persistent


EXPECTATIONS = [
    (V1_1, (), False, False),
    (V1_1, (b"Expect: 100-continue",), True, True),
    (V1_1, (b"Expect: 100-Continue",), True, False),
    (V1_1, (b"Expect: 100-continue",) * 2, True, False),
    (V1_0, (b"Expect: 100-continue",), True, False),
]


@pytest.mark.parametrize(("version", "lines", "unsent", "continues"), EXPECTATIONS)
def test_whether_the_content_waits_for_100_continue(
    version: tuple[int, int], lines: tuple[bytes, ...], unsent: bool, continues: bool
) -> None:
    head = replace(get(HOST, *lines, method=b"PUT"), version=version)
    facts = connection_facts(head)
    assert (facts.may_be_unsent, facts.expects_continue) == (unsent, continues)
    assert check_message(head) is None


def test_how_a_response_may_be_written() -> None:
    head = get(HOST)
    assert connection_facts(head).http_1_1
    assert not connection_facts(replace(head, version=V1_0)).http_1_1
    assert not connection_facts(head).is_head
    assert connection_facts(replace(head, method=b"HEAD")).is_head


HOPS = [
    (b"TRACE", (b"Max-Forwards: 10",), 9),
    (b"OPTIONS", (b"Max-Forwards: 0",), -1),
    (b"OPTIONS", (b"Max-Forwards: 999999999",), 999999998),
    (b"OPTIONS", (), None),
    (b"GET", (b"Max-Forwards: 0",), None),
    (b"OPTIONS", (b"Max-Forwards: 1000000000",), "refused"),
    (b"OPTIONS", (b"Max-Forwards: -1",), "refused"),
    (b"OPTIONS", (b"Max-Forwards:",), "refused"),
    (b"OPTIONS", (b"Max-Forwards: 1",) * 2, "refused"),
]


@pytest.mark.parametrize(("method", "lines", "left"), HOPS)
def test_max_forwards(method: bytes, lines: tuple[bytes, ...], left: int | str | None) -> None:
    hops = check_hops(get(HOST, *lines, method=method))
    assert (hops if hops is None or isinstance(hops, int) else "refused") == left
