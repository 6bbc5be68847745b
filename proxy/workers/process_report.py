"""The report of one process, for ``labgate status`` and the service manager.

Tested by tests/e2e/test_status.py.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

from proxy.observe.measurements import Counts, Now
from proxy.runtime.last_problems import LoggedProblem, last_problems

if TYPE_CHECKING:
    from proxy.app import Application

NOTHING = Now()


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
        now: Gauges for the metrics.
        counts: Counters for the metrics.
    """

    pid: int
    answers: bool = True
    memory_bytes: int = 0
    connections: int = 0
    websockets: int = 0
    requests: int = 0
    locked_out: dict[str, float] = field(default_factory=dict)
    problems: tuple[LoggedProblem, ...] = ()
    now: Now = NOTHING
    counts: Counts = field(default_factory=Counts)

    @classmethod
    def of(cls, content: dict[str, Any]) -> Self:
        """The report of a worker's message."""
        problems = tuple(LoggedProblem(**problem) for problem in content["problems"])
        measured = {"now": Now.of(content["now"]), "counts": Counts.of(content["counts"])}
        return cls(**content | {"problems": problems} | measured)


def report_of(app: Application) -> ProcessReport:
    """The report of this process."""
    now = app.measures.now(app.connections)
    return ProcessReport(
        os.getpid(),
        memory_bytes=now.memory_bytes,
        connections=now.connections,
        websockets=now.websockets,
        requests=now.requests,
        locked_out=app.lockout.locked_out(monotonic()),
        problems=last_problems(),
        now=now,
        counts=app.measures.counts(),
    )
