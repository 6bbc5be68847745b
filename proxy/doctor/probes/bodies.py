"""Uploads, downloads, and proxies that hold them back.

Tested by tests/doctor/test_nginx.py and tests/doctor/test_hostile.py.
"""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from math import isfinite
from urllib.parse import quote

from proxy.doctor.browser import Browser, in_one_line
from proxy.doctor.examination import Examination, Impossible
from proxy.doctor.finding import Finding
from proxy.doctor.judge import bodies as judge
from proxy.doctor.judge.server import recognise
from proxy.doctor.raw import FAILURES, connect, hang_up

PIECE_BYTES = 64 * 1024
NOT_READING_SECONDS = 2.0
OTHERS_SECONDS = 1.0
"""Within it Jupyter counts the requests that others made at the same time."""
HEAD_SECONDS = 3.0
MORE_THAN_SOCKETS_HOLD = 40_000_000
TOO_LONG_BYTES = 2**50
"""More than ``ServerApp.max_body_size``, whatever it is: Jupyter answers at once, by the head."""


async def try_upload(examination: Examination) -> Finding | None:
    """A large upload arrives: it is saved, or refused by Jupyter where nothing can be saved."""
    size_bytes, belongings = examination.upload_bytes, examination.belongings
    before = json.dumps({"type": "file", "format": "text", "content": ""}).encode()[:-2]
    after = b'"}'
    length = len(before) + size_bytes + len(after)

    def pieces() -> Iterator[bytes]:
        yield before
        for start in range(0, size_bytes, PIECE_BYTES):
            yield b"x" * min(PIECE_BYTES, size_bytes - start)
        yield after

    name = belongings.file if examination.saved else f"{belongings.label}/no-such-folder.txt"
    head, sent = _put(examination.browser, f"/api/contents/{name}", length)
    answer = await examination.browser.raw(head, sent, body=pieces())
    return judge.judge_upload(answer, saved=examination.saved)


def _put(browser: Browser, path: str, length: int) -> tuple[bytes, str]:
    """The head of a PUT as the page makes it, and the line that shows it."""
    more = browser.page_fields() | {
        "Content-Type": "application/json",
        "Content-Length": str(length),
        "Connection": "close",
    }
    fields = {"Host": browser.target.authority}
    fields |= browser.own(more, origin=browser.target.origin)
    path = browser.target.base + path
    lines = [f"PUT {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1"), in_one_line("PUT", path, fields)


async def try_upload_head(examination: Examination) -> Finding | None:
    """An upload reaches Jupyter while it is sent, and not only when all of it is there.

    A little content is sent, which fits into the smallest buffer for a whole body.
    """
    if recognise(examination.browser.answers).server == "apache":
        raise Impossible("Apache reads an upload to its end before it answers, whatever it does")
    head, sent = _put(
        examination.browser, f"/api/contents/{examination.belongings.label}-long", TOO_LONG_BYTES
    )
    answer = await examination.browser.raw(head, sent, body=[b"x" * 2048], seconds=HEAD_SECONDS)
    return judge.judge_upload_head(answer, HEAD_SECONDS)


async def try_download(examination: Examination) -> Finding | None:
    """The large file comes back whole, to the Referer of Jupyter's own page.

    Where pages of other sites are not refused, that is to be mended first, and Referer with it:
    then the file is asked for as JupyterLab does, with the XSRF token.
    """
    browser = examination.browser
    path = f"/files/{examination.belongings.file}"
    if examination.open_to_others:
        path += f"?_xsrf={quote(browser.xsrf)}"
    referer = {"Referer": f"{browser.target.url}lab"}
    answer = await browser.get(path, referer, kept=1024)
    return judge.judge_download(answer, examination.upload_bytes)


async def try_unread_download(examination: Examination) -> Finding | None:
    """Jupyter cannot hand over a large download while nobody reads it.

    Whether it has is seen in its metrics, which count what is finished. All but the first byte is
    asked for: few others get 206. Because others might, what is seen once is tried again.
    """
    browser = examination.browser
    if examination.upload_bytes < MORE_THAN_SOCKETS_HOLD:
        raise Impossible("the file is too small to tell")
    query = f"?_xsrf={quote(browser.xsrf)}"
    path = f"{browser.target.base}/files/{examination.belongings.file}{query}"
    more = {"Referer": f"{browser.target.url}lab", "Range": "bytes=1-", "Connection": "close"}
    fields = {"Host": browser.target.authority} | browser.own(more)
    finished = await _finishes_unread(browser, path, fields)
    if finished:
        await asyncio.sleep(OTHERS_SECONDS)
        finished = await _finishes_unread(browser, path, fields)
    return judge.judge_unread_download(in_one_line("GET", path, fields), finished)


async def _finishes_unread(browser: Browser, path: str, fields: Mapping[str, str]) -> bool:
    """Whether Jupyter has answered a GET completely, although its content is not read."""
    before = await _finished_downloads(browser)
    lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    try:
        reader, writer = await connect(browser.target, browser.tls)
    except FAILURES as error:
        raise Impossible(f"no connection: {error}") from None
    try:
        tcp = writer.get_extra_info("socket")
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PIECE_BYTES)
        writer.write("\r\n".join([*lines, "", ""]).encode("latin-1"))
        with suppress(*FAILURES, asyncio.LimitOverrunError):
            async with asyncio.timeout(NOT_READING_SECONDS):
                await reader.readuntil(b"\r\n\r\n")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + NOT_READING_SECONDS
        while loop.time() < deadline:
            if await _finished_downloads(browser) > before:
                return True
            await asyncio.sleep(0.2)
        return False
    finally:
        writer.transport.abort()
        await hang_up(writer)


_COUNTED = b"http_request_duration_seconds_count{"


def finished_downloads(metrics: bytes) -> int:
    """The sum of what Jupyter's metrics count of responses with status 206."""
    total = 0.0
    for line in metrics.splitlines():
        labels, _, number = line.rpartition(b" ")
        if labels.startswith(_COUNTED) and b'status_code="206"' in labels:
            with suppress(ValueError):
                total += float(number)
    return int(total) if isfinite(total) else 0


async def _finished_downloads(browser: Browser) -> int:
    """How many parts of files Jupyter has handed over since its start.

    Raises:
        Impossible: It does not tell.
    """
    answer = await browser.get("/metrics", kept=2**20)
    if not answer.ok:
        raise Impossible("Jupyter shows no metrics")
    return finished_downloads(answer.body)
