"""The coding that a file is kept in."""

from __future__ import annotations

import os
import random

import brotli  # type: ignore[import-untyped]

from proxy.cache.best_coding import best_coding

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
