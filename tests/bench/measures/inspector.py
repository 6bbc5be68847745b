"""What the inspector costs while it captures."""

from __future__ import annotations

from contextlib import ExitStack

from tests.bench import wrk
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage
from tests.bench.peers import Labgate, Peer
from tests.bench.running import start

CONNECTIONS = 32
ROUNDS = 3
"""In turns off and on, so that a drift of the machine meets both."""

COST = Figure("CPU per request, inspector on over off", "x")


class InspectorOn(Measure):
    """The CPU time of a request with ``[inspector] enabled = true``, over that without."""

    name = "inspector"
    figures = (COST,)
    most_repetitions = 3

    def unfit(self, peer: Peer) -> str:
        if not isinstance(peer, Labgate):
            return "it is labgate's own"
        if not peer.has_inspector():
            return "labgate has no inspector yet"
        return ""

    def run(self, stage: Stage) -> Outcome:
        peer = stage.running.peer
        assert isinstance(peer, Labgate)
        requests, seconds = [0, 0], [0.0, 0.0]
        with ExitStack() as stack:
            both = []
            for configured in (peer, peer.with_inspector()):
                running = start(configured, stage.behind)
                stack.callback(running.program.stop)
                wrk.requests(running.address, CONNECTIONS, stage.scale.warm_seconds)
                both.append(running)
            for _ in range(ROUNDS):
                for place, running in enumerate(both):
                    before = running.program.cpu_seconds()
                    requests[place] += wrk.requests(
                        running.address, CONNECTIONS, stage.scale.seconds
                    )
                    seconds[place] += running.program.cpu_seconds() - before
        off, on = (used / count for used, count in zip(seconds, requests, strict=True))
        return Outcome({COST.name: on / off})
