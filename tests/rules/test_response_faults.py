"""What llhttp lets through and labgate does not."""

from __future__ import annotations

import pytest

from proxy.rules.head import ResponseHead
from proxy.rules.response_faults import MAX_RESPONSE_FIELDS, response_fault, switches_to_websocket
from tests.heads import answered, fields

FAULTS = [
    pytest.param((200, "1.1", b"OK"), (b"Content-Length: 4",), "", id="ordinary"),
    pytest.param((100, "1.1", b"OK"), (), "", id="the first status"),
    pytest.param((599, "1.1", b"OK"), (), "", id="the last status"),
    pytest.param((200, "1.1", b""), (), "", id="no reason"),
    pytest.param((200, "1.1", b"a\tb \xe9"), (), "", id="a tab and obs-text in the reason"),
    pytest.param((404, "1.0", b"Not Found"), (), "", id="1.0"),
    pytest.param((200, "1.1", b"OK"), (b"transfer-ENCODING: Chunked",), "", id="chunked"),
    pytest.param((99, "1.1", b"OK"), (), "the status 99 does not exist", id="status 99"),
    pytest.param((600, "1.1", b"OK"), (), "the status 600 does not exist", id="status 600"),
    pytest.param((200, "2.0", b"OK"), (), "an answer in HTTP/2.0", id="2.0"),
    pytest.param((200, "0.9", b"OK"), (), "an answer in HTTP/0.9", id="0.9"),
    pytest.param(
        (200, "1.1", b"O\x1bK"),
        (),
        "a control character in the reason phrase",
        id="ESC in the reason",
    ),
    pytest.param(
        (200, "1.1", b"OK\0"),
        (),
        "a control character in the reason phrase",
        id="NUL in the reason",
    ),
    pytest.param(
        (200, "1.1", b"\x7f"),
        (),
        "a control character in the reason phrase",
        id="DEL in the reason",
    ),
    pytest.param((200, "1.1", b"OK"), (b"Content-Length: " + b"9" * 18,), "", id="18 digits"),
    pytest.param(
        (200, "1.1", b"OK"),
        (b"Content-Length: " + b"9" * 19,),
        "a Content-Length that is too large",
        id="19 digits",
    ),
    pytest.param((200, "1.1", b"OK"), (b"X: y",) * MAX_RESPONSE_FIELDS, "", id="many fields"),
    pytest.param(
        (200, "1.1", b"OK"),
        (b"X: y",) * (MAX_RESPONSE_FIELDS + 1),
        "more than 1000 fields",
        id="too many",
    ),
    pytest.param(
        (200, "1.1", b"OK"),
        (b"Transfer-Encoding: gzip",),
        "a transfer coding other than chunked",
        id="gzip",
    ),
    pytest.param(
        (200, "1.0", b"OK"),
        (b"Transfer-Encoding: chunked",),
        "a transfer coding other than chunked",
        id="in 1.0",
    ),
    pytest.param(
        (200, "1.1", b"OK"),
        (b"Transfer-Encoding: chunked",) * 2,
        "a transfer coding other than chunked",
        id="twice",
    ),
]


@pytest.mark.parametrize(("line", "lines", "fault"), FAULTS)
def test_faults(line: tuple[int, str, bytes], lines: tuple[bytes, ...], fault: str) -> None:
    status, version, reason = line
    found = response_fault(ResponseHead(status, reason, fields(*lines)), version)
    assert found == fault


SWITCHES = [
    ((b"Upgrade: websocket",), True),
    ((b"Upgrade: WebSocket", b"Content-Length: 0"), True),
    ((), False),
    ((b"Upgrade: h2c",), False),
    ((b"Upgrade: websocket, h2c",), False),
    ((b"Upgrade: websocket", b"Upgrade: websocket"), False),
    ((b"Upgrade: websocket", b"Content-Length: 5"), False),
    ((b"Upgrade: websocket", b"Transfer-Encoding: chunked"), False),
]


@pytest.mark.parametrize(("lines", "switches"), SWITCHES)
def test_switches(lines: tuple[bytes, ...], switches: bool) -> None:
    assert switches_to_websocket(answered(*lines, status=101)) == switches
