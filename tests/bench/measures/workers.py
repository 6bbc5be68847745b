"""What a second process adds."""

from __future__ import annotations

from contextlib import ExitStack

import psutil

from tests.bench import wrk
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage
from tests.bench.peers import Labgate, Peer
from tests.bench.process import Program
from tests.bench.running import start

CONNECTIONS = 64

ROUNDS = 3
"""In turns with one and with two workers, so that a drift of the machine meets both."""

GAIN = Figure("capacity of two workers over one", "x", more_is_better=True)
COST = Figure("CPU per request, two workers over one", "x")


class TwoWorkers(Measure):
    """What ``labgate serve --workers 2`` can answer, against one process.

    Load and upstream need about as much CPU as labgate does, so two workers on two cores that
    also carry the load would only show how all of them share these. Here labgate has the same
    one core in both cases, the load the other, and what is measured is how long the busiest
    process worked for the answers, in CPU time: on a core of its own it would need no longer,
    and no other process of labgate does. So the figure is the answers for each CPU second of
    the busiest process, with two workers over one. It is 2 when the connections are spread
    evenly and a request costs what it costs in one process; the kernel spreads them by a hash,
    so one of two has some more, and a process with half the connections may work a little
    faster. It does not show what two busy cores take from each other (caches, turbo).
    """

    name = "workers"
    figures = (GAIN, COST)
    max_repetitions = 3

    def unfit(self, peer: Peer) -> str:
        if not isinstance(peer, Labgate):
            return "it is labgate's own"
        if not peer.has_workers():
            return "labgate has no --workers yet"
        return ""

    def run(self, stage: Stage) -> Outcome:
        peer = stage.running.peer
        assert isinstance(peer, Labgate)
        answers, busiest, all_of_them = [0, 0], [0.0, 0.0], [0.0, 0.0]
        with ExitStack() as stack:
            both = []
            for workers in (1, 2):
                running = start(peer.with_workers(workers), stage.behind)
                stack.callback(running.program.stop)
                wrk.requests(running.address, CONNECTIONS, stage.scale.warm_seconds)
                both.append(running)
            for _ in range(ROUNDS):
                for place, running in enumerate(both):
                    before = _cpu_seconds(running.program)
                    answers[place] += wrk.requests(
                        running.address, CONNECTIONS, stage.scale.seconds
                    )
                    after = _cpu_seconds(running.program)
                    used = [after[pid] - before.get(pid, 0.0) for pid in after]
                    busiest[place] += max(used)
                    all_of_them[place] += sum(used)
        capacity = [count / seconds for count, seconds in zip(answers, busiest, strict=True)]
        cost = [seconds / count for count, seconds in zip(answers, all_of_them, strict=True)]
        return Outcome({GAIN.name: capacity[1] / capacity[0], COST.name: cost[1] / cost[0]})


def _cpu_seconds(program: Program) -> dict[int, float]:
    """User and system time of each process so far; the supervisor is one of them."""
    found = {}
    for process in program.processes():
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        found[process.pid] = times.user + times.system
    return found
