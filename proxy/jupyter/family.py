"""The processes below another, for when that one has to be killed.

Jupyter starts every kernel in a session of its own, so killing Jupyter's process group
does not reach them. Linux only; elsewhere nothing is found, and kernels notice by
themselves that their parent is gone.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Relative(NamedTuple):
    """A process; its start time tells it from a later one with the same number."""

    pid: int
    started: int


def descendants(ancestor: int) -> frozenset[Relative]:
    """Every process below ``ancestor``, at any depth."""
    children: dict[int, list[Relative]] = {}
    for folder in PROC.glob("[0-9]*"):
        if (found := _parent_of(int(folder.name))) is not None:
            parent, relative = found
            children.setdefault(parent, []).append(relative)
    family: set[Relative] = set()
    ahead = [ancestor]
    while ahead:
        for relative in children.get(ahead.pop(), ()):
            if relative not in family:
                family.add(relative)
                ahead.append(relative.pid)
    return frozenset(family)


def kill(relatives: Iterable[Relative]) -> None:
    """SIGKILL those that are still the processes they were."""
    for relative in relatives:
        found = _parent_of(relative.pid)
        if found is not None and found[1] == relative:
            try:
                os.kill(relative.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


def _parent_of(pid: int) -> tuple[int, Relative] | None:
    try:
        line = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in parentheses, and may hold anything.
    fields = line.rpartition(b")")[2].split()
    return int(fields[1]), Relative(pid, int(fields[19]))
