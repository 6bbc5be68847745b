"""Which Python labgate runs on while it is measured.

The peers are the distribution's builds, and most people run labgate on the distribution's
Python or on an image's. Those were compiled with a profile (PGO). One that pyenv
compiled was not, unless it was configured to, and needs a third more CPU for the same request.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

DISTRIBUTION = Path("/usr/bin/python3")

_TELL = """
import os, platform, sys, sysconfig
soabi = sysconfig.get_config_var("SOABI")
print(platform.python_version(), soabi, os.path.realpath(sys.executable))
"""


@cache
def distribution() -> str | None:
    """The distribution's Python, where it can load what is installed for this one.

    None where there is none, where its version is another, or where this is the one.
    """
    theirs = _printed(str(DISTRIBUTION)) if DISTRIBUTION.exists() else None
    ours = _printed(sys.executable)
    if theirs is None or ours is None or theirs[1] != ours[1] or theirs[2] == ours[2]:
        return None
    return str(DISTRIBUTION)


@cache
def version(python: str) -> str:
    """As people write it: ``Python 3.11.2 (the distribution's)``.

    No path: it would tell of the machine where this was measured, and nothing of the figures.
    """
    found = _printed(python)
    whose = "the distribution's" if Path(python) == DISTRIBUTION else "of the virtual environment"
    return f"Python {found[0] if found else '?'} ({whose})"


def packages() -> str:
    """The folder with what is installed for this Python."""
    return sysconfig.get_path("platlib")


def _printed(python: str) -> tuple[str, str, str] | None:
    """Version, binary interface and file."""
    shown = subprocess.run([python, "-c", _TELL], capture_output=True, text=True, check=False)
    words = shown.stdout.split()
    return (words[0], words[1], words[2]) if shown.returncode == 0 and len(words) == 3 else None
