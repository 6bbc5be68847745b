"""Compresses a file once, as small as can be, without disturbing anybody."""

from __future__ import annotations

import os
import sys
import threading
from functools import partial

import brotli  # type: ignore[import-untyped]

from proxy.rules.compression import MIN_BYTES, shrinks
from proxy.runtime.daemon_thread import run_in_daemon_thread

QUALITY = 11
"""Of JupyterLab's scripts 21.0 % are left, at 0.9 MB in a second of CPU time; with quality 9 it is
23.0 %, at 28 MB. Once for each version of Jupyter, when nobody else wants the CPU."""
WINDOW = 20
"""1 MiB. The encoder then takes 30 MiB for a file of 8 MiB, with 22 it would take 70 MiB, and only
the largest of JupyterLab's scripts gain from that: 0.3 % of all."""
NICENESS = 19


async def best_coding(content: bytes, media: bytes) -> tuple[bytes, bytes]:
    """The coding and the content in it; without a coding if that gains nothing."""
    if len(content) < MIN_BYTES or not shrinks(media):
        return b"", content
    encoded = await run_in_daemon_thread("compress a file", partial(_compress, content))
    return (b"br", encoded) if len(encoded) < len(content) else (b"", content)


def _compress(content: bytes) -> bytes:
    if sys.platform == "linux":
        # There a thread has a niceness of its own; brotli works without the interpreter's lock.
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
    encoded: bytes = brotli.compress(content, quality=QUALITY, lgwin=WINDOW)
    return encoded
