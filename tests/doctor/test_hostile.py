"""What a hostile server sends costs the doctor no more than its length, in time and in memory."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from proxy.doctor.answer import Answer
from proxy.doctor.judge.bodies import judge_compression
from proxy.doctor.probes.bodies import finished_downloads
from proxy.doctor.probes.login import file_of
from proxy.doctor.raw import MAX_ANSWER_BYTES, exchange, parsed
from proxy.doctor.target import read_target
from tests.interruption import interrupted

MEGABYTE = 2**20

PAGES = [b'src="/', b'src="/.js', b'src="/a.js?', b".js.css", b'href="/' + b"a" * 600]


@pytest.mark.parametrize("piece", PAGES)
def test_a_page_is_searched_once(piece: bytes) -> None:
    with interrupted():  # where it is quadratic, it takes minutes
        file_of(piece * (MEGABYTE // len(piece)), "")


REFERENCES = [
    (b'<script src="/static/lab/main.js?v=1&amp;w=2">', "", "/static/lab/main.js?v=1&w=2"),
    (b'<link href="/user/ada/static/a.css">', "/user/ada", "/static/a.css"),
    (b'<script src="/elsewhere.js"><script src="/user/ada/own.js">', "/user/ada", "/own.js"),
    (b'<img src="/a.png"><a href="https://a.example/b.js">', "", ""),
]


@pytest.mark.parametrize(("page", "base", "file"), REFERENCES)
def test_the_first_file_of_jupyters_own(page: bytes, base: str, file: str) -> None:
    assert file_of(page, base) == file


COUNTED = b'http_request_duration_seconds_count{handler="a",status_code="206"} '
METRICS = [
    (COUNTED + b"3.0\n" + COUNTED + b"2.0\n", 5),
    (COUNTED.replace(b"206", b"200") + b"3.0\n", 0),
    (COUNTED + b"e\n" + COUNTED + b"2.0\n", 2),
    (COUNTED + b"1e999\n", 0),
    (COUNTED * 15_000, 0),
]


@pytest.mark.parametrize(("metrics", "count"), METRICS)
def test_metrics_are_counted_line_by_line(metrics: bytes, count: int) -> None:
    with interrupted():
        assert finished_downloads(metrics) == count


def test_many_small_chunks() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with interrupted():
        answer = parsed("GET /", head + b"1\r\nx\r\n" * 300_000 + b"0\r\n\r\n", "")
    assert answer.body == b"x" * 300_000


def test_a_small_packed_file_does_not_become_a_large_one() -> None:
    plain = Answer("GET /a.js", 200, body=b"small")
    bomb = gzip.compress(b"\0" * 20 * MEGABYTE, 1)
    packed = Answer("GET /a.js", 200, [("Content-Encoding", "gzip")], bomb)
    found = judge_compression(plain, packed)
    assert found is not None
    assert found.received.endswith("another content")


async def test_an_endless_answer_is_not_read_to_its_end() -> None:
    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        try:
            while True:
                writer.write(b"x" * 65536)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(endless, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        target = read_target(f"http://127.0.0.1:{port}")[0]
        answer = await exchange(target, None, b"GET / HTTP/1.1\r\n\r\n", "GET /")
    assert MAX_ANSWER_BYTES // 2 < answer.size_bytes < 2 * MAX_ANSWER_BYTES
