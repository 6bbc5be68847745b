"""Ends this process without finalizing the interpreter."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import NoReturn

THREAD_SECONDS = 5.0
"""Each thread that is no daemon has so long to end."""


def exit_without_finalizing(code: int) -> NoReturn:
    """Run the functions of ``atexit``, flush the output, end this process with this exit code.

    Finalizing ends a daemon thread (``daemon_thread``) where it next asks for the GIL, even if
    that is in the middle of an import or within the code of an extension that holds a lock. Now
    and then the process crashed or hung then. Nothing else that finalizing does is needed: the
    system releases memory and descriptors.
    """
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(THREAD_SECONDS)
    # os._exit does neither.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
