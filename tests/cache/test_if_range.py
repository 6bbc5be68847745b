"""Whether a client can continue what it has: tornado sends a part whatever If-Range says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, StaticFileHandler

from tests.cache.file_server import FileServer
from tests.cache.test_static_cache import (
    ACCEPT,
    CONTENT,
    Answered,
    Caching,
    caching,
    head_of,
    until,
)

SCRIPT = b"/static/lab/main.0123456789abcdef.js"
FONT = b"/static/lab/a1b2c3d4e5f60718.woff2"
DOWNLOAD = b"/files/model.bin"
FIRST = 9
"""The first octet that the client has not got."""


class JupyterFiles(StaticFileHandler):
    """As jupyter_server's FileFindHandler and AuthenticatedFileHandler."""

    def set_extra_headers(self, path: str) -> None:
        self.set_header("Cache-Control", "public, max-age=31536000, immutable")

    def compute_etag(self) -> str | None:
        return None


class Tornado(FileServer):
    """Serves the files of a folder."""

    def __init__(self, folder: Path) -> None:
        super().__init__({})
        self._application = Application([("/(.*)", JupyterFiles, {"path": str(folder)})])

    async def start(self) -> None:
        sockets = bind_sockets(0, "127.0.0.1")
        self.port = sockets[0].getsockname()[1]
        self._tornado = HTTPServer(self._application)
        self._tornado.add_sockets(sockets)

    async def stop(self) -> None:
        self._tornado.stop()
        await self._tornado.close_all_connections()


@pytest.fixture
def jupyter(tmp_path: Path) -> Tornado:
    for target in (SCRIPT, FONT, DOWNLOAD):
        path = tmp_path / target.decode().lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(CONTENT)
    return Tornado(tmp_path)


async def begun(it: Caching, target: bytes, *, kept: bool) -> Answered:
    """What a client gets that comes for the first time."""
    if kept:
        await it.get(target, ACCEPT)
        await until(lambda: it.cache.find(head_of(target)))
    return await it.get(target, ACCEPT)


CASES = [
    pytest.param(SCRIPT, True, b"If-Range: %(last-modified)b", 200, id="cached, its date"),
    pytest.param(SCRIPT, True, b"If-Range: %(etag)b", 200, id="cached, its tag"),
    pytest.param(SCRIPT, True, b"If-Range: W/%(etag)b", 200, id="cached, its tag, weakly"),
    pytest.param(FONT, True, b"If-Range: %(last-modified)b", 200, id="cached as it is, its date"),
    pytest.param(FONT, True, b"If-Range: %(etag)b", 200, id="cached as it is, its tag"),
    pytest.param(SCRIPT, False, b"If-Range: %(last-modified)b", 200, id="compressed, its date"),
    pytest.param(SCRIPT, False, b'If-Range: W/"a"', 200, id="compressed, a weak tag"),
    pytest.param(SCRIPT, False, b"X: no condition", 206, id="any part of it"),
    pytest.param(DOWNLOAD, False, b"If-Range: %(last-modified)b", 206, id="a download, its date"),
    pytest.param(DOWNLOAD, False, b'If-Range: W/"a"', 200, id="a download, a weak tag"),
]


@pytest.mark.parametrize(("target", "kept", "condition", "status"), CASES)
async def test_what_was_begun_is_continued_or_comes_whole(
    jupyter: Tornado, target: bytes, kept: bool, condition: bytes, status: int
) -> None:
    """RFC 9110 section 13.1.5."""
    async with caching({}, jupyter=jupyter) as it:
        if not kept:
            it.cache.close()
        fields, _, _ = await begun(it, target, kept=kept)
        assert (it.outcomes[-1] == "cached") is kept
        coded = b"content-encoding" in fields
        assert coded is (target == SCRIPT)
        asked = b"Range: bytes=%d-" % FIRST
        _, line, content = await it.get(target, asked, condition % fields)
        assert line.startswith(b"HTTP/1.1 %d " % status)
        assert content == (CONTENT if status == 200 else CONTENT[FIRST:])
