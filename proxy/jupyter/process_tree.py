"""Finds and kills the descendants of a process.

Jupyter starts every kernel in a session of its own, so killing Jupyter's process group
does not reach them. Linux only; elsewhere nothing is found, and kernels exit by themselves
when they notice that their parent is gone. Tested by tests/jupyter/test_process.py.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class ProcessId(NamedTuple):
    """Identifies a process: its start time distinguishes it from a later one with the same pid."""

    pid: int
    started: int


def descendants(ancestor: int) -> frozenset[ProcessId]:
    """Every process below ``ancestor``, at any depth."""
    children: dict[int, list[ProcessId]] = {}
    for folder in PROC.glob("[0-9]*"):
        if (found := _parent_of(int(folder.name))) is not None:
            parent, process = found
            children.setdefault(parent, []).append(process)
    found_below: set[ProcessId] = set()
    unvisited = [ancestor]
    while unvisited:
        for process in children.get(unvisited.pop(), ()):
            if process not in found_below:
                found_below.add(process)
                unvisited.append(process.pid)
    return frozenset(found_below)


def kill(processes: Iterable[ProcessId]) -> None:
    """Send SIGKILL to those that still run."""
    for process in processes:
        found = _parent_of(process.pid)
        if found is not None and found[1] == process:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


def _parent_of(pid: int) -> tuple[int, ProcessId] | None:
    try:
        line = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return None
    # The second field is the program's name in parentheses, and may contain any character.
    fields = line.rpartition(b")")[2].split()
    return int(fields[1]), ProcessId(pid, int(fields[19]))
