"""WebSockets, bodies, and pages of other sites: one answer, one finding or none."""

from __future__ import annotations

import gzip
import json

import pytest

from proxy.doctor.answer import Answer
from proxy.doctor.judge.bodies import (
    judge_compression,
    judge_download,
    judge_unread_download,
    judge_upload,
    judge_upload_head,
)
from proxy.doctor.judge.foreign import judge_foreign
from proxy.doctor.judge.sockets import (
    SUBPROTOCOL,
    judge_handshake,
    judge_http2_handshake,
    judge_large_message,
    judge_silence,
    judge_subprotocol,
)

JSON = json.dumps({"message": "Forbidden", "reason": None}).encode()


def answer(status: int, body: bytes = b"", *fields: tuple[str, str], size: int = 0) -> Answer:
    return Answer("GET /x", status, fields, body, size, "" if status else "no answer within 3 s")


UPGRADE = b'Can "Upgrade" only to "WebSocket".'
CONNECTION = b'"Connection" must be "Upgrade".'
VERSION = ("Sec-WebSocket-Version", "7, 8, 13")

HANDSHAKES = [
    (answer(101), None, None, ""),
    (answer(400, UPGRADE), None, "websocket-not-upgraded", "Upgrade, Connection"),
    (answer(400, CONNECTION), None, "websocket-not-upgraded", "Connection"),
    (answer(426), None, "websocket-not-upgraded", "Upgrade, Connection"),
    (answer(426, b"", VERSION), None, "websocket-version", "Sec-WebSocket-Version"),
    (answer(403), answer(101), "origin-refused", "Origin"),
    (answer(403), answer(403), "websocket-refused", "Cookie"),
    (answer(401), None, "websocket-refused", "Cookie"),
    (answer(502), None, "websocket-refused", ""),
    (answer(200), None, "websocket-refused", ""),
    (answer(0), None, "websocket-refused", ""),
]


@pytest.mark.parametrize(("given", "without_origin", "identifier", "field"), HANDSHAKES)
def test_handshake(
    given: Answer, without_origin: Answer | None, identifier: str | None, field: str
) -> None:
    found = judge_handshake(given, without_origin)
    assert (found and found.id) == identifier
    assert (found.field if found else "") == field


def test_subprotocol() -> None:
    assert judge_subprotocol(answer(101, b"", ("Sec-WebSocket-Protocol", SUBPROTOCOL))) is None
    found = judge_subprotocol(answer(101))
    assert found is not None
    assert (found.id, "(none)" in found.received) == ("subprotocol-lost", True)


@pytest.mark.parametrize(
    ("status", "identifier"),
    [(None, None), (200, None), (403, "extended-connect"), (0, "extended-connect")],
)
def test_http2(status: int | None, identifier: str | None) -> None:
    found = judge_http2_handshake("CONNECT /x", status)
    assert (found and found.id) == identifier


def test_what_ends_a_websocket() -> None:
    assert judge_large_message("20 MiB", "") is None
    assert judge_silence("nothing", "", 70) is None
    large = judge_large_message("20 MiB", "close code 1009")
    silent = judge_silence("nothing", "close code 1006", 60.2)
    assert large is not None
    assert (large.id, large.received) == ("message-limit", "close code 1009")
    assert silent is not None
    assert (silent.id, silent.received) == (
        "idle-timeout",
        "close code 1006 after 60 s of silence",
    )


UPLOADS = [
    (answer(201), True, None),
    (answer(500, JSON), True, "jupyter-error"),
    (answer(500, JSON), False, None),
    (answer(413), False, "body-limit"),
    (answer(413, JSON), False, "body-limit"),
    (answer(0), True, "body-limit"),
    (answer(502), True, "body-limit"),
]


@pytest.mark.parametrize(("given", "saved", "identifier"), UPLOADS)
def test_upload(given: Answer, saved: bool, identifier: str | None) -> None:
    found = judge_upload(given, saved=saved)
    assert (found and found.id) == identifier


DOWNLOADS = [
    (answer(200, size=100), None),
    (answer(200, size=99), "download-cut"),
    (answer(403, JSON), "referer-refused"),
    (answer(403), "access-refused"),
    (answer(504), "upstream-timeout"),
]


@pytest.mark.parametrize(("given", "identifier"), DOWNLOADS)
def test_download(given: Answer, identifier: str | None) -> None:
    found = judge_download(given, 100)
    assert (found and found.id) == identifier


def test_buffers() -> None:
    assert judge_upload_head(answer(400), 3) is None
    assert judge_upload_head(Answer("PUT /x", failure="the connection was reset"), 3) is None
    assert judge_unread_download("GET /x", finished=False) is None
    up, down = judge_upload_head(answer(0), 3), judge_unread_download("GET /x", finished=True)
    assert up is not None
    assert down is not None
    assert up.id == down.id == "buffered"


GZIP = ("Content-Encoding", "gzip")
COMPRESSED = [
    (answer(200, b"x"), answer(200, b"x"), None),
    (answer(200, b"x"), answer(200, gzip.compress(b"x"), GZIP), None),
    (answer(200, b"x"), answer(200, gzip.compress(b"y"), GZIP), "compression"),
    (answer(200, b"x"), answer(200, gzip.compress(b"x")), "compression"),
    (answer(200, b"x"), answer(200, b"x", GZIP), "compression"),
    (answer(200, b"x"), answer(200, gzip.compress(gzip.compress(b"x")), GZIP), "compression"),
    (answer(200, gzip.compress(b"x"), GZIP), answer(200, b"x"), "compression"),
    (answer(404), answer(404), None),
]


@pytest.mark.parametrize(("plain", "packed", "identifier"), COMPRESSED)
def test_compression(plain: Answer, packed: Answer, identifier: str | None) -> None:
    found = judge_compression(plain, packed)
    assert (found and found.id) == identifier


FOREIGN = [
    ([404, 403, 403, 421], None),
    ([404, 200], "cross-origin-open"),
    ([101], "cross-origin-open"),
    ([0], None),
    ([], None),
]


@pytest.mark.parametrize(("statuses", "identifier"), FOREIGN)
def test_foreign(statuses: list[int], identifier: str | None) -> None:
    found = judge_foreign([answer(status) for status in statuses])
    assert (found and found.id) == identifier
