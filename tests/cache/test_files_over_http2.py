"""Files of the cache over HTTP/2: a large one waits for windows, and holds no other up.

Everything else of the cache is run over HTTP/2 by ``make test-http2``.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import brotli  # type: ignore[import-untyped]

from proxy.cache.static_cache import StaticCache
from proxy.proxying.stored_response import PIECE_BYTES
from proxy.rules.compression import compressible_folders
from proxy.rules.site import make_site
from tests.cache.file_server import File, FileServer
from tests.cache.test_static_cache import CONTENT, FONT, SCRIPT, until
from tests.edges import PUBLIC
from tests.http2 import frames
from tests.http2.raw_client import RawClient
from tests.http2.secured import SecuredEdge, secured

LARGE = random.Random(5).randbytes(4 * PIECE_BYTES)
FIRST_WINDOW_BYTES = 65_535
"""Of a stream and of the connection (RFC 9113 section 6.9.2)."""
ACCEPTS = (b"accept-encoding", b"br")


@asynccontextmanager
async def keeping() -> AsyncIterator[tuple[SecuredEdge, FileServer]]:
    """An edge that has a large file and a small one in its cache."""
    jupyter = FileServer({FONT: File(LARGE, media=b"font/woff2"), SCRIPT: File(CONTENT)})
    await jupyter.start()
    folders = compressible_folders("/")
    site = make_site((PUBLIC,), jupyter.address.origin, compressible=folders)
    async with asyncio.timeout(60), secured(jupyter.address, site=site) as running:
        router, pool = running.edge.router, running.edge.pool
        cache = StaticCache(
            pool, None, 2**24, check_seconds=3600.0, quiet_seconds=0.0, retry_seconds=0.05
        )
        router.keep_files(cache)
        router.use(site)
        cache.start()
        client = await running.connect()
        open_windows(client)
        client.send(frames.get(1, FONT), frames.get(3, SCRIPT, ACCEPTS))
        await until(lambda: {FONT, SCRIPT} <= set(cache.files.targets))
        await client.response(1)
        await client.response(3)
        running.edge.records.clear()
        jupyter.asked.clear()
        yield running, jupyter
        cache.close()
    await jupyter.stop()


def open_windows(client: RawClient) -> None:
    client.send(frames.settings((4, 2**24)), frames.window_update(0, 2**24))


def outcomes(running: SecuredEdge) -> list[str]:
    return [record.outcome for record in running.edge.records]


async def test_a_large_file_waits_for_windows_and_a_small_one_overtakes_it() -> None:
    async with keeping() as (running, jupyter):
        client = await running.connect()
        client.send(frames.get(1, FONT))
        await client.until_begun(1)
        large = client.streams[1]
        await client.until(lambda: len(large.content) == FIRST_WINDOW_BYTES)
        client.send(frames.get(3, SCRIPT, ACCEPTS))
        await client.until_begun(3)
        # Of the connection alone: what it allows is the small one's.
        client.send(frames.window_update(0, len(CONTENT)))
        small = await client.response(3)
        assert brotli.decompress(small.content) == CONTENT
        assert (b"content-encoding", b"br") in small.heads[0]
        assert len(large.content) == FIRST_WINDOW_BYTES
        assert outcomes(running) == ["cached"], "the large one is not at its end"
        open_windows(client)
        await client.response(1)
        assert large.content == LARGE
        assert large.fields[b"content-length"] == b"%d" % len(LARGE)
        assert outcomes(running) == ["cached", "cached"]
        assert jupyter.asked == []


async def test_a_large_file_that_is_cancelled_was_not_queued_whole() -> None:
    async with keeping() as (running, _):
        client = await running.connect()
        client.send(frames.get(1, FONT))
        await client.until_begun(1)
        client.send(frames.rst_stream(1), frames.window_update(0, len(CONTENT)))
        client.send(frames.get(3, SCRIPT, ACCEPTS))
        await client.response(3)
        assert outcomes(running) == ["the client went away", "cached"]
        assert running.edge.records[0].bytes_down == PIECE_BYTES


async def test_a_browser_that_has_it_gets_a_head_that_ends_the_stream() -> None:
    async with keeping() as (running, jupyter):
        client = await running.connect()
        client.send(frames.get(1, SCRIPT, ACCEPTS))
        tag = (await client.response(1)).fields[b"etag"]
        client.send(frames.get(3, SCRIPT, ACCEPTS, (b"if-none-match", tag)))
        assert (await client.response(3)).statuses == [304]
        assert client.count(frames.DATA, 3) == 0
        assert outcomes(running) == ["cached", "cached"]
        assert jupyter.asked == []
