"""Where Python's small objects come from: malloc(3) rather than Python's own allocator.

Python keeps them in arenas of 1 MiB and gives one back when nothing in it is left. After
4,000 slow uploads were gone, a few hundred objects that stay kept 25 MB of them; with malloc
it is 4 MB, because malloc_trim(3) gives back single pages. It costs 3 µs a request.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import suppress

_VARIABLE, _CHOICE = "PYTHONMALLOC", "malloc"


def chosen(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` for a Python that is to use malloc, unless somebody chose already."""
    if not _sensible():
        return dict(environment)
    return {_VARIABLE: _CHOICE, **environment}


def choose() -> None:
    """Start this process over with malloc: Python reads PYTHONMALLOC at its start only.

    It is the same process, with the same arguments; call it before anything else is loaded.
    Nothing happens where somebody chose an allocator (Python's development mode does), or
    where Python is told to ignore its environment.
    """
    present = os.environ.get(_VARIABLE)
    if present == _CHOICE:
        del os.environ[_VARIABLE]  # for this process alone, not for Jupyter and its kernels
    elif present is None and sys.executable and not sys.flags.ignore_environment and _sensible():
        with suppress(OSError):
            os.execve(  # noqa: S606  ourselves
                sys.executable, [sys.executable, *sys.orig_argv[1:]], chosen(os.environ)
            )


def _sensible() -> bool:
    """With glibc, whose malloc_trim(3) is the point of it, and an interpreter that has the choice.

    A free-threaded one does not start with it.
    """
    if "t" in sys.abiflags or sys.flags.dev_mode:
        return False
    try:
        return bool(os.confstr("CS_GNU_LIBC_VERSION"))
    except (ValueError, OSError):
        return False
