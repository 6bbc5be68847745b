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
STATE, PARENT, STARTED = 0, 1, 19
"""Places in the result of ``_stat``."""


class ProcessId(NamedTuple):
    """Identifies a process: its start time distinguishes it from a later one with the same pid."""

    pid: int
    started: int


def descendants(ancestor: int) -> frozenset[ProcessId]:
    """Every process below ``ancestor``, at any depth."""
    children: dict[int, list[ProcessId]] = {}
    for folder in PROC.glob("[0-9]*"):
        pid = int(folder.name)
        if fields := _stat(pid):
            process = ProcessId(pid, int(fields[STARTED]))
            children.setdefault(int(fields[PARENT]), []).append(process)
    found_below: set[ProcessId] = set()
    unvisited = [ancestor]
    while unvisited:
        for process in children.get(unvisited.pop(), ()):
            if process not in found_below:
                found_below.add(process)
                unvisited.append(process.pid)
    return frozenset(found_below)


def has_descendants(ancestor: int) -> bool:
    """Whether a process below ``ancestor`` still runs."""
    return not all(map(has_exited, descendants(ancestor)))


def identity(pid: int) -> ProcessId | None:
    """The process with this number; None if there is none, or not on Linux."""
    fields = _stat(pid)
    return ProcessId(pid, int(fields[STARTED])) if fields else None


def has_exited(process: ProcessId) -> bool:
    """Whether it has ended, though nobody may have asked for its exit code yet."""
    fields = _stat(process.pid)
    return not fields or int(fields[STARTED]) != process.started or fields[STATE] == b"Z"


def kill(processes: Iterable[ProcessId]) -> None:
    """Send SIGKILL to those that still run."""
    for process in processes:
        if identity(process.pid) == process:
            try:
                os.kill(process.pid, signal.SIGKILL)
            except (ProcessLookupError, PermissionError):
                continue


def _stat(pid: int) -> list[bytes]:
    """The fields of proc_pid_stat(5) from the third one; none if there is no such process."""
    try:
        line = (PROC / str(pid) / "stat").read_bytes()
    except OSError:
        return []
    # The second field is the program's name in parentheses, and may contain any character.
    return line.rpartition(b")")[2].split()
