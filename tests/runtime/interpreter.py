"""Runs a program in a fresh Python."""

from __future__ import annotations

import subprocess
import sys


def printed_numbers(program: str, *arguments: int) -> list[int]:
    """The numbers that ``program`` printed in a fresh Python."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert not done.stderr
    return [int(one) for one in done.stdout.split()]
