"""Runs Python without root's right to pass over the modes of files, as the systemd service is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import require

_FOLDER = Path(__file__).parents[1]


def confined(program: str, *arguments: str) -> str:
    """What a program prints that has no capability.

    Args:
        program: Python code.
        arguments: For it, in ``sys.argv``.
    """
    drop: list[str] = []
    if os.geteuid() == 0:
        require(shutil.which("setpriv"), "no setpriv", "apt-get install util-linux")
        drop = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"]
    ran = subprocess.run(
        [*drop, sys.executable, "-c", program, *arguments],
        cwd=_FOLDER,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.rstrip("\n")
