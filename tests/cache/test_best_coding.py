"""The coding that a file is kept in."""

from __future__ import annotations

import os
import random
import sys

import brotli  # type: ignore[import-untyped]
import pytest

from proxy.cache.best_coding import best_coding
from tests.runtime.interpreter import printed_numbers

TEXT = b"function hello() { return 'hello'; }\n" * 100


async def test_text_is_compressed_and_nothing_else_gets_slower() -> None:
    niceness = os.nice(0)
    coding, encoded = await best_coding(TEXT, b"text/javascript")
    assert (coding, brotli.decompress(encoded)) == (b"br", TEXT)
    assert os.nice(0) == niceness, "only the thread that compressed is nice"


async def test_what_gains_nothing_stays_as_it_is() -> None:
    noise = random.Random(1).randbytes(5000)
    assert await best_coding(noise, b"text/javascript") == (b"", noise)
    assert await best_coding(TEXT, b"font/woff2") == (b"", TEXT)
    assert await best_coding(TEXT[:1023], b"text/javascript") == (b"", TEXT[:1023])


GROWN = """
import asyncio, os, random
from proxy.cache.best_coding import best_coding
from tests.e2e.programs import forget_peak_memory, peak_memory, resident_memory
drawn = random.Random(1)
words = [drawn.randbytes(4).hex().encode() for _ in range(3000)]
script = b" ".join(drawn.choices(words, k=350_000))
forget_peak_memory(os.getpid())
before = resident_memory(os.getpid())
asyncio.run(best_coding(script, b"text/javascript"))
print((peak_memory(os.getpid()) - before) // 2**20)
"""


@pytest.mark.deployment
@pytest.mark.skipif(sys.platform != "linux", reason="peaks are read in /proc: run it on Linux")
def test_a_large_file_takes_little_memory() -> None:
    """3 MB here; somebody's small machine holds kernels, too."""
    (grown_mib,) = printed_numbers(GROWN)
    assert 8 < grown_mib < 36
