"""Ends this process without finalizing the interpreter."""

from __future__ import annotations

import atexit
import os
import sys
import threading


def exit_without_finalizing(code: int) -> None:
    """Run the functions of ``atexit``, flush the output, end this process with this exit code.

    Finalizing ends a daemon thread (``daemon_thread``) where it next asks for the GIL, even if
    that is in the middle of an import or within the code of an extension that holds a lock. Now
    and then the process crashed or hung then. What else finalizing does is the system's business:
    memory and descriptors are released by the exit.

    Returns only if a thread that is no daemon still works: the usual exit waits for it.
    """
    main = threading.main_thread()
    if any(not one.daemon for one in threading.enumerate() if one is not main):
        return
    # os._exit does neither.
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)
