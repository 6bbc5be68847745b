"""HTTP Archives, there and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proxy.inspector.exchange import (
    CapturedContent,
    CapturedHead,
    CapturedMessage,
    Times,
)
from proxy.inspector.har import HarError, from_har, to_har

from .exchanges import exchange

SECRET = "s3cr3t-4711"


def test_there_and_back() -> None:
    one = exchange(
        "POST",
        "/api/contents?a=1",
        201,
        content_up=CapturedContent('{"x": 1}', 8, whole=True),
        content_down=CapturedContent("made", 4, whole=True),
        bytes_up=8,
        bytes_down=4,
        times=Times(sent_up=0.001, first_octet=0.011, sent_down=0.012, last_octet=0.02),
    )
    socket = exchange(
        "GET",
        "/api/kernels/1/channels",
        101,
        websocket=True,
        messages=[CapturedMessage(0.5, True, "text", 1, 4, text="ping")],
    )
    archive = json.loads(json.dumps(to_har([one, socket, exchange(status=0, sent_down=None)])))
    first, second = archive["log"]["entries"]
    assert first["request"]["url"] == "https://lab.example.org/api/contents?a=1"
    assert first["request"]["queryString"] == [{"name": "a", "value": "1"}]
    assert first["timings"] == {
        "blocked": 1.0,
        "dns": -1,
        "connect": -1,
        "ssl": -1,
        "send": 0,
        "wait": 10.0,
        "receive": 9.0,
    }
    assert second["_webSocketMessages"][0]["data"] == "ping"

    back, back_socket = from_har(archive)
    assert (back.method, back.target, back.status) == ("POST", "/api/contents?a=1", 201)
    assert back.received.fields == one.received.fields
    assert (back.bytes_up, back.bytes_down, back.started) == (8, 4, one.started)
    assert back.content_up is not None
    assert json.loads(back.content_up.text) == {"x": 1}
    assert back.content_down is not None
    assert back.content_down.text == "made"
    assert back_socket.websocket
    assert [(m.up, m.kind, m.text) for m in back_socket.messages] == [(True, "text", "ping")]


def entry(**request: Any) -> dict[str, Any]:
    return {
        "startedDateTime": "2026-01-02T03:04:05.000Z",
        "time": 12,
        "request": {"method": "GET", "url": "https://h/", "headers": []} | request,
        "response": {"status": 200, "statusText": "OK", "headers": [], "content": {}},
    }


def test_secrets_of_a_foreign_archive_are_redacted() -> None:
    given = entry(
        url=f"https://h/lab?token={SECRET}",
        headers=[
            {"name": "Cookie", "value": f"a={SECRET}"},
            {"name": "Authorization", "value": f"token {SECRET}"},
        ],
        postData={"mimeType": "application/json", "text": json.dumps({"password": SECRET})},
    )
    given["_webSocketMessages"] = [
        {"type": "send", "opcode": 1, "time": 1, "data": json.dumps({"token": SECRET})}
    ]
    (one,) = from_har({"log": {"entries": [given]}})
    assert SECRET not in json.dumps(one.details())


@pytest.mark.parametrize(
    ("archive", "sentence"),
    [
        (None, "no HTTP Archive"),
        ([], "no HTTP Archive"),
        ({"log": {}}, "no HTTP Archive"),
        ({"log": {"entries": "x"}}, "no HTTP Archive"),
        ({"log": {"entries": [{}] * 5001}}, "5001 entries"),
        ({"log": {"entries": [{}]}}, r"log.entries\[0\]"),
        ({"log": {"entries": [entry(), entry(url=7), {"request": 1}]}}, r"log.entries\[2\]"),
        ({"log": {"entries": [entry() | {"time": "x"}]}}, r"log.entries\[0\]"),
        ({"log": {"entries": [entry() | {"time": float("nan")}]}}, r"log.entries\[0\]"),
        ({"log": {"entries": [entry() | {"time": float("inf")}]}}, r"log.entries\[0\]"),
        (
            {"log": {"entries": [entry() | {"_webSocketMessages": [{"time": float("nan")}]}]}},
            r"log.entries\[0\]",
        ),
        ({"log": {"entries": [entry() | {"startedDateTime": "yesterday"}]}}, r"log.entries\[0\]"),
    ],
)
def test_what_is_no_archive(archive: Any, sentence: str) -> None:
    with pytest.raises(HarError, match=sentence):
        from_har(archive)


def test_control_characters_cannot_reach_a_terminal() -> None:
    head = [{"name": "X", "value": "\x1b[31mred"}]
    (one,) = from_har({"log": {"entries": [entry(headers=head)]}})
    assert one.received == CapturedHead("GET / HTTP/1.1", (("Host", "h"), ("X", "\\x1b[31mred")))


def test_the_reason_of_a_status_is_redacted_and_printable() -> None:
    given = entry()
    given["response"]["statusText"] = f"OK ?token={SECRET}\x1b[2J"
    (one,) = from_har({"log": {"entries": [given]}})
    assert one.sent_down is not None
    assert one.sent_down.line == "HTTP/1.1 200 OK ?token=[redacted]"
    given["response"]["statusText"] = "OK\x1b[2J"
    (one,) = from_har({"log": {"entries": [given]}})
    assert one.sent_down is not None
    assert one.sent_down.line == "HTTP/1.1 200 OK\\x1b[2J"
