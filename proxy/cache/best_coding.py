"""Compresses a file once, as small as can be, without disturbing anybody."""

from __future__ import annotations

import gzip
import os
import sys
import threading
from functools import partial

import brotli  # type: ignore[import-untyped]

from proxy.cache.stored_file import CodedContent, coded_content
from proxy.runtime.daemon_thread import run_in_daemon_thread

BROTLI_QUALITY = 11
"""Of JupyterLab's scripts 21.0 % are left, at 0.9 MB in a second of CPU time; with quality 9 it is
23.0 %, at 28 MB. Once for each version of Jupyter, when nobody else wants the CPU."""
BROTLI_WINDOW_BITS = 20
"""1 MiB. The encoder then takes 30 MiB for a file of 8 MiB, with 22 it would take 70 MiB, and only
the largest of JupyterLab's scripts gain from that: 0.3 % of all."""
GZIP_LEVEL = 9
NICENESS = 19


async def best_coding(content: bytes, *, compress: bool) -> CodedContent:
    """The content as small as it can be; as it is if it stays so, or if that gains nothing."""
    if compress:
        encoded = await run_in_daemon_thread("compress a file", partial(_compress, content))
        if len(encoded) < len(content):
            return coded_content(b"br", encoded)
    return coded_content(b"", content)


async def in_gzip(best: CodedContent) -> CodedContent:
    """The same content for clients that accept gzip, and not br."""
    encoded = await run_in_daemon_thread("compress a file", partial(_gzip, best.octets))
    return coded_content(b"gzip", encoded)


def _compress(content: bytes) -> bytes:
    _be_nice()
    encoded: bytes = brotli.compress(content, quality=BROTLI_QUALITY, lgwin=BROTLI_WINDOW_BITS)
    return encoded


def _gzip(encoded: bytes) -> bytes:
    _be_nice()
    return gzip.compress(brotli.decompress(encoded), GZIP_LEVEL, mtime=0)


def _be_nice() -> None:
    if sys.platform == "linux":
        # There a thread has a niceness of its own; the encoders work without the interpreter's
        # lock.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
