"""What a second process adds."""

from __future__ import annotations

from dataclasses import replace

from tests.bench import wrk
from tests.bench.machine import CORES, LOAD_CORE, PROXY_CORE
from tests.bench.peers import Labgate, Peer
from tests.bench.process import Meter
from tests.bench.running import start

from .measure import Figure, Measure, Outcome, Stage

CONNECTIONS = 64

GAIN = Figure(
    "requests per second, two workers over one", "x", more_is_better=True, by_the_clock=True
)


class TwoWorkers(Measure):
    """``labgate serve --workers 2`` against one, both on the same two free cores."""

    name = "workers"
    figures = (GAIN,)
    most_repetitions = 3

    def unfit(self, peer: Peer) -> str:
        if not isinstance(peer, Labgate):
            return "it is labgate's own"
        if not peer.has_workers():
            return "labgate has no --workers yet"
        if len(CORES) < 3:
            return "two free cores and one for the load are needed, and this machine has fewer"
        return ""

    def run(self, stage: Stage) -> Outcome:
        peer = stage.running.peer
        assert isinstance(peer, Labgate)
        spare = max(set(CORES) - {PROXY_CORE, LOAD_CORE})
        behind = replace(stage.behind, proxy_cores=frozenset({PROXY_CORE, spare}))
        rates = []
        bound = False
        for workers in (1, 2):
            running = start(Labgate(peer.tree, peer.name, workers), behind)
            try:
                with Meter(running.program, behind.upstream) as meter:
                    answers = wrk.requests(running.address, CONNECTIONS, stage.scale.seconds)
            finally:
                running.program.stop()
            rates.append(answers / meter.seconds)
            bound = bound or meter.load_bound
        return Outcome({GAIN.name: rates[1] / rates[0]}, bound)
