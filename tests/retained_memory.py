"""How much memory a call leaves behind."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable

VALUES = 64
VALUE_BYTES = 32 * 1024
"""A client has 64 KiB for a head."""


def keeps_no_long_values(use: Callable[[bytes], object]) -> bool:
    """Whether a function that was given many different long values keeps few of them alive."""
    tracemalloc.start()
    try:
        for number in range(VALUES):
            use(b"%0*d" % (VALUE_BYTES, number))
        gc.collect()
        retained, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return retained < VALUES * VALUE_BYTES / 4
