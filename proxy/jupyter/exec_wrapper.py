"""Becomes the command it is given, after asking Linux to end that with its parent.

Run by path (``python -I child.py PARENT COMMAND…``) between fork and exec: Python code in
the forked labgate itself could deadlock. A labgate that is killed outright then takes its
Jupyter with it, which would otherwise hold the port and confuse the next start.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Tie this process to its parent where the system can, then become the command."""
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it was gone before we asked
            sys.exit(0)
    os.execv(command[0], command)  # noqa: S606  labgate's own list, no shell


if __name__ == "__main__":
    main()
