"""What one process tells of itself, for ``labgate status`` and the service manager.

Tested by tests/e2e/test_status.py.
"""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any, Self

from proxy.app import Application
from proxy.runtime.last_problems import LoggedProblem, last_problems


@dataclass(frozen=True, slots=True)
class ProcessReport:
    """One process.

    Attributes:
        pid: Its id.
        answers: Whether it answered in time; otherwise nothing but its memory is known.
        memory_bytes: Its resident memory.
        connections: Open connections of clients.
        websockets: Open WebSockets.
        requests: Requests without a complete response, WebSockets not counted.
        locked_out: Addresses, each with the seconds that remain.
        problems: The last warnings and errors, oldest first.
    """

    pid: int
    answers: bool = True
    memory_bytes: int = 0
    connections: int = 0
    websockets: int = 0
    requests: int = 0
    locked_out: dict[str, float] = field(default_factory=dict)
    problems: tuple[LoggedProblem, ...] = ()

    @classmethod
    def of(cls, content: dict[str, Any]) -> Self:
        """The report of a worker's message."""
        problems = tuple(LoggedProblem(**problem) for problem in content["problems"])
        return cls(**content | {"problems": problems})


def report_of(app: Application) -> ProcessReport:
    """The report of this process."""
    gauges = {name: read for name, (_, read) in app.gauges.items()}
    lockout = app.lockout
    return ProcessReport(
        os.getpid(),
        memory_bytes=resident_bytes(os.getpid()),
        connections=gauges["connections"](),
        websockets=gauges["tunnels"](),
        requests=gauges["requests_in_progress"](),
        locked_out=lockout.locked_out(monotonic()) if lockout is not None else {},
        problems=last_problems(),
    )


def resident_bytes(pid: int) -> int:
    """The resident memory of a process (proc_pid_statm(5)); 0 where there is no /proc."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * resource.getpagesize()
