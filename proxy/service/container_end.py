"""Whether a container ends with this process, and a successor with the container.

When process 1 of a container ends, the kernel kills every other one of it (pid_namespaces(7)).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

FIRST = 1
"""The identifier of a container's first process."""
INITS = frozenset({"tini", "docker-init", "dumb-init", "catatonit"})
"""Programs that a container may have as process 1: they end with the command they have started."""
OBSTACLE = (
    "This labgate is the first process of its container, which ends with it: nothing was changed. "
    "Replace the container instead."
)


def container_obstacle() -> str:
    """Why nobody can take over from this process in its container; empty if somebody can."""
    process = Path(f"/proc/{FIRST}")
    program = children = ""
    with suppress(OSError):  # everywhere but on Linux
        program = (process / "comm").read_text("utf-8")
        children = (process / "task" / str(FIRST) / "children").read_text("ascii")
    ends = ends_container(os.getpid(), os.getppid(), program, children)
    return OBSTACLE if ends else ""


def ends_container(pid: int, parent: int, first_program: str, first_children: str) -> bool:
    """Whether a process is the one that its container ends with.

    Args:
        pid: The process.
        parent: Its parent.
        first_program: The content of ``/proc/1/comm``.
        first_children: The content of ``/proc/1/task/1/children``; empty if the kernel has none.
            What process 1 has adopted, as it does each successor, comes behind what it started.
    """
    if pid == FIRST:
        return True
    if parent != FIRST or first_program.strip() not in INITS:
        return False
    return first_children.split()[:1] in ([], [str(pid)])
