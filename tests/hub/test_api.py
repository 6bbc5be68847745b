"""What a Hub's client does not show of the API; ``test_contract`` has the rest."""

from __future__ import annotations

import asyncio
import json
import sys
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hmac import compare_digest
from pathlib import Path
from types import FrameType
from typing import Any, TypeAlias

import pytest
from aiohttp.test_utils import TestServer, make_mocked_request

from proxy.hub.api import MAX_BODY_BYTES, ApiCounts, RoutesApi, make_api_app
from proxy.hub.journal import Journal
from proxy.hub.route_table import RouteTable
from proxy.hub.shared_routes import SharedRoutes
from proxy.net.upstream_tls import UpstreamTls

Server: TypeAlias = Callable[[Any], Awaitable[TestServer]]
Asked: TypeAlias = Callable[[bytes], Awaitable[bytes]]
FIELDS = b"Host: hub\r\nAuthorization: token token\r\n"
DATA: dict[str, object] = {"target": "http://10.0.0.7:8888", "user": "ada"}


def called_in(call: Callable[[], object]) -> list[object]:
    """The functions of C that a call calls."""
    called: list[object] = []

    def note(_frame: FrameType, event: str, function: object) -> None:
        if event == "c_call":
            called.append(function)

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(before)
    return called


def test_a_token_is_compared_in_a_time_that_tells_nothing() -> None:
    api = RoutesApi(SharedRoutes(RouteTable(UpstreamTls())), "the token", ApiCounts())
    request = make_mocked_request("GET", "/api/routes", {"Authorization": "token another"})
    assert compare_digest in called_in(lambda: api._authorized(request))


@pytest.fixture
def table(tmp_path: Path) -> RouteTable:
    table = RouteTable(UpstreamTls(), journal=Journal(tmp_path / "routes"))
    table.load()
    return table


@pytest.fixture
async def asked(aiohttp_server: Server, table: RouteTable) -> AsyncIterator[Asked]:
    """Sends octets over one connection, which are to be answered with no content."""
    api = RoutesApi(SharedRoutes(table), "token", ApiCounts())
    server = await aiohttp_server(make_api_app(api))
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)

    async def ask(data: bytes) -> bytes:
        writer.write(data)
        return await reader.readuntil(b"\r\n\r\n")

    yield ask
    writer.close()


def call(path: bytes, body: bytes, fields: bytes = b"", version: bytes = b"1.1") -> bytes:
    """A call that adds a route."""
    head = b"POST /api/routes%b HTTP/%b\r\n" % (path, version)
    return head + FIELDS + fields + b"Content-Length: %d\r\n\r\n" % len(body) + body


def fields_of(answer: bytes) -> dict[bytes, bytes]:
    """Its fields but the date."""
    fields = dict(line.split(b": ", 1) for line in answer.splitlines()[1:-1])
    date = parsedate_to_datetime(fields.pop(b"Date").decode())
    assert abs((datetime.now(UTC) - date).total_seconds()) < 60
    return fields


async def test_routes_are_added_over_one_connection(asked: Asked, table: RouteTable) -> None:
    body = json.dumps(DATA).encode()
    for path in ("/user/ada", "/user/bob"):
        answer = await asked(call(path.encode(), body))
        assert answer.startswith(b"HTTP/1.1 201 Created\r\n")
        assert fields_of(answer) == {b"Content-Length": b"0"}
        assert table.by_path[path].data == DATA


@pytest.mark.parametrize(
    ("version", "asks", "says"),
    [(b"1.1", b"close", b"close"), (b"1.0", b"keep-alive", b"keep-alive"), (b"1.0", b"x", None)],
)
async def test_the_answer_says_what_becomes_of_the_connection(
    asked: Asked, version: bytes, asks: bytes, says: bytes | None
) -> None:
    body = json.dumps(DATA).encode()
    answer = await asked(call(b"/x", body, b"Connection: %b\r\n" % asks, version))
    assert answer.startswith(b"HTTP/%b 201 Created\r\n" % version)
    assert fields_of(answer).get(b"Connection") == says


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(DATA).encode(),
        json.dumps(DATA, indent=2).encode(),
        json.dumps(DATA | {"user": "Zoë"}, ensure_ascii=False).encode(),
        json.dumps(DATA | {"user": "Zoë\x7f"}).encode(),
        json.dumps(DATA).encode("utf-16"),
        json.dumps(DATA).encode("utf-16-le"),
        b'\t{"target":"http://h:1","target":"http://10.0.0.7:8888"}\r\n ',
    ],
)
async def test_data_is_the_same_from_the_disk(
    asked: Asked, table: RouteTable, tmp_path: Path, body: bytes
) -> None:
    await asked(call(b"/user/ada", body))
    again = RouteTable(UpstreamTls(), journal=Journal(tmp_path / "routes"))
    assert again.load() == 1
    data = table.by_path["/user/ada"].data
    assert again.by_path["/user/ada"].data == data == json.loads(body)
    assert again.by_path["/user/ada"].url == data["target"]


async def test_a_body_in_pieces(asked: Asked, table: RouteTable) -> None:
    whole = call(b"/user/ada", json.dumps(DATA).encode(), b"Expect: 100-continue\r\n")
    cut = whole.index(b"\r\n\r\n") + 4
    assert await asked(whole[:cut]) == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert (await asked(whole[cut:])).startswith(b"HTTP/1.1 201 ")
    assert table.by_path["/user/ada"].data == DATA


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(("more", "status"), [(0, b"201"), (1, b"413")])
async def test_the_longest_body(asked: Asked, packed: bool, more: int, status: bytes) -> None:
    body = json.dumps(DATA).encode()
    body += b" " * (MAX_BODY_BYTES + more - len(body))
    # The few octets of it are here at once; the many are not.
    sent = zlib.compress(body) if packed else body
    fields = b"Content-Encoding: deflate\r\n" if packed else b""
    assert (await asked(call(b"/x", sent, fields))).startswith(b"HTTP/1.1 %b " % status)
