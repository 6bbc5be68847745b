"""Who accepts gzip alone gets it from the cache, too: every browser over plain HTTP."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

from tests.cache.file_server import File
from tests.cache.test_static_cache import (
    ACCEPT,
    CONTENT,
    PLAIN,
    SCRIPT,
    caching,
    files,
    until,
    written,
)
from tests.heads import HOST, get

GZIP = b"Accept-Encoding: gzip, deflate"
OLDER = get(HOST, GZIP, target=SCRIPT)


async def test_a_file_in_gzip_is_made_when_somebody_asks_for_it() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        (file,) = it.cache.files
        before = it.cache.files.size_bytes
        assert set(file.codings) == {b"br"}
        fields, _, _ = await it.get(SCRIPT, GZIP)
        assert (fields[b"content-encoding"], it.outcomes[-1]) == (b"gzip", "forwarded")
        await until(lambda: it.cache.find(OLDER))
        fields, _, content = await it.get(SCRIPT, GZIP)
        assert (fields[b"content-encoding"], it.outcomes[-1]) == (b"gzip", "cached")
        assert zlib.decompress(content, 31) == CONTENT
        assert it.cache.files.size_bytes == before + len(content)
        assert it.cache.saved_bytes == len(CONTENT) - len(content)
        _, status, _ = await it.get(SCRIPT, GZIP, b"If-None-Match: " + fields[b"etag"])
        assert status.startswith(b"HTTP/1.1 304")
        best, _, _ = await it.get(SCRIPT, ACCEPT)
        assert best[b"content-encoding"] == b"br"
        assert best[b"etag"] != fields[b"etag"]
        assert len(it.jupyter.asked) == 1, "labgate itself asked for nothing"


async def test_only_who_accepts_it_and_nothing_better_has_it_made() -> None:
    font = b"/static/lab/a1b2c3d4e5f60718.woff2"
    kept = files() | {font: File(b"wOF2" * 400, media=b"font/woff2")}
    async with caching(kept) as it:
        await it.fill(SCRIPT, font)
        to_do = it.cache._gzip_copies.to_do
        for target, line, wanted in (
            (SCRIPT, ACCEPT, False),
            (SCRIPT, b"X: y", False),
            (SCRIPT, b"Accept-Encoding: zstd, *", False),
            (font, GZIP, False),
            (SCRIPT, GZIP, True),
        ):
            it.cache.find(get(HOST, line, target=target))
            assert to_do.is_set() is wanted, line


async def test_it_has_its_part_of_the_room(tmp_path: Path) -> None:
    """Hexadecimal digits take half of their octets in any coding."""
    folder = tmp_path / "kept"
    texts = [random.Random(seed).randbytes(10_000).hex().encode() for seed in range(2)]
    both = {target: File(text) for target, text in zip((SCRIPT, PLAIN), texts, strict=True)}
    async with caching(both, folder=folder, max_bytes=30_000) as it:
        await it.fill(SCRIPT, PLAIN)
        await until(lambda: len(written(folder)) == 2)
        await it.get(SCRIPT, GZIP)
        await until(lambda: it.cache.find(OLDER))
        assert set(it.cache.files.targets) == {SCRIPT}
        assert it.cache.files.size_bytes < 30_000
        await until(lambda: len(written(folder)) == 1)
