"""Asks Linux to end this process with its parent, then executes a command.

Run as ``python -I exec_wrapper.py PARENT COMMAND…``, because Python code between fork and exec
could deadlock. So a killed labgate takes its Jupyter with it, which would otherwise keep the port
and confuse the next start. Tested by tests/jupyter/test_process.py.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Set the parent-death signal on Linux, then execute the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # the parent exited before prctl(2)
            sys.exit(0)
    os.execv(command[0], command)  # noqa: S606  labgate's own list, no shell


if __name__ == "__main__":
    main()
