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


async def test_no_file_goes_for_a_copy(tmp_path: Path) -> None:
    """Neither from the memory nor from the disk. Hexadecimal digits shrink to a half at best."""
    folder = tmp_path / "kept"
    texts = [random.Random(seed).randbytes(10_000).hex().encode() for seed in range(2)]
    both = {target: File(text) for target, text in zip((SCRIPT, PLAIN), texts, strict=True)}
    async with caching(both, folder=folder, max_bytes=30_000) as it:
        await it.fill(SCRIPT, PLAIN)
        await until(lambda: len(written(folder)) == 2)
        await it.get(SCRIPT, GZIP)
        await it.cache._copy()
        assert set(it.cache.files.targets) == {SCRIPT, PLAIN}
        assert len(written(folder)) == 2
        fields, _, _ = await it.get(SCRIPT, GZIP)
        assert (fields[b"content-encoding"], it.outcomes[-1]) == (b"gzip", "forwarded")


async def test_a_copy_that_found_no_room_is_made_again_only_when_there_is_some() -> None:
    text = random.Random(1).randbytes(10_000).hex().encode()
    async with caching({SCRIPT: File(text)}) as it:
        await it.fill(SCRIPT)
        (file,) = it.cache.files
        it.cache.files.max_bytes = it.cache.files.size_bytes + len(file.best.octets)
        assert it.cache.find(OLDER) is None
        await until(lambda: file.gzip_bytes)
        assert (set(file.codings), it.cache.find(OLDER)) == ({b"br"}, None)
        assert not it.cache._gzip_copies.to_do.is_set(), "it would be compressed for nothing"
        it.cache.files.max_bytes *= 2
        assert it.cache.find(OLDER) is None
        await until(lambda: it.cache.find(OLDER))


async def test_what_has_gone_meanwhile_is_not_compressed() -> None:
    async with caching(files()) as it:
        await it.fill(SCRIPT)
        (file,) = it.cache.files
        assert it.cache.find(OLDER) is None
        it.cache.files.remove(file.key)
        await it.cache._copy()
        assert file.gzip_bytes == 0
