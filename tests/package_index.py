"""Where this machine's pip looks for packages, for images that install some."""

from __future__ import annotations

import os
import subprocess
import sys


def package_index() -> str:
    """The address of the index; pip's own default where nothing else is configured."""
    if said := os.environ.get("PIP_INDEX_URL"):
        return said
    program = "from pip._internal.models.index import PyPI; print(PyPI.simple_url)"
    for question in (["-m", "pip", "config", "get", "global.index-url"], ["-c", program]):
        command = [sys.executable, *question]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode == 0:
            return asked.stdout.strip().rstrip("/")
    return ""
