"""The coding that a file is kept in."""

from __future__ import annotations

import os
import random
import sys
import zlib

import brotli  # type: ignore[import-untyped]
import pytest

from proxy.cache.best_coding import BROTLI_WINDOW_BITS, best_coding, in_gzip
from proxy.cache.stored_file import coded_content
from tests.runtime.interpreter import printed_numbers

TEXT = b"function hello() { return 'hello'; }\n" * 100


async def test_text_is_compressed_and_nothing_else_gets_slower() -> None:
    niceness = os.nice(0)
    best = await best_coding(TEXT, compress=True)
    assert (best.coding, brotli.decompress(best.octets)) == (b"br", TEXT)
    in_another = await in_gzip(best)
    assert (in_another.coding, zlib.decompress(in_another.octets, 31)) == (b"gzip", TEXT)
    assert os.nice(0) == niceness, "only the threads that compressed are nice"


async def test_nothing_makes_it_smaller() -> None:
    """It is done once, so it may take its time."""
    words = [random.Random(n).randbytes(n % 7 + 2).hex().encode() for n in range(500)]
    text = b" ".join(random.Random(1).choices(words, k=3000))
    best = await best_coding(text, compress=True)
    sizes = [
        len(brotli.compress(text, quality=level, lgwin=BROTLI_WINDOW_BITS)) for level in range(12)
    ]
    assert len(best.octets) == min(sizes) < sizes[9]
    sizes = [len(zlib.compress(text, level, 31)) for level in range(10)]
    assert len((await in_gzip(best)).octets) == min(sizes) < sizes[1]


async def test_what_gains_nothing_stays_as_it_is() -> None:
    noise = random.Random(1).randbytes(5000)
    assert await best_coding(noise, compress=True) == coded_content(b"", noise)
    assert await best_coding(TEXT, compress=False) == coded_content(b"", TEXT)


GROWN = """
import asyncio, os, random
from proxy.cache.best_coding import best_coding
from tests.e2e.programs import forget_peak_memory, peak_memory, resident_memory
drawn = random.Random(1)
words = [drawn.randbytes(4).hex().encode() for _ in range(3000)]
script = b" ".join(drawn.choices(words, k=350_000))
forget_peak_memory(os.getpid())
before = resident_memory(os.getpid())
async def compress():
    # It returns nothing: asyncio.run would make a text of that, several times as large.
    await best_coding(script, compress=True)
asyncio.run(compress())
print((peak_memory(os.getpid()) - before) // 2**20)
"""


@pytest.mark.deployment
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read in /proc: run it on Linux")
def test_a_large_file_takes_little_memory() -> None:
    """3 MB here; somebody's small machine holds kernels, too. brotli takes 33 MiB."""
    (grown_mib,) = printed_numbers(GROWN)
    assert 8 < grown_mib < 36
