"""What the inspector costs while it captures."""

from __future__ import annotations

from contextlib import ExitStack
from statistics import median

from tests.bench import wrk
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage
from tests.bench.peers import Labgate, Peer
from tests.bench.running import start

CONNECTIONS = 32
ROUNDS = 6
ROUND_SECONDS = 1.0
"""In short turns off and on, so that a drift of the machine meets both."""

COST = Figure("CPU per request, inspector on over off", "x")


class InspectorOn(Measure):
    """The CPU time of a request with ``[inspector] enabled = true``, over that without.

    With many connections at once a request costs the least, and what the capture adds is the
    largest share of it: ``tests.bench.pair . get --inspect`` asks over one connection, where each
    request also pays for waking the process, and finds less. After the warming up the ring is
    full. Two processes of one kind differ by a few percent, because their memory lies elsewhere;
    therefore each repetition starts both anew.
    """

    name = "inspector"
    figures = (COST,)
    max_repetitions = 5

    def unfit(self, peer: Peer) -> str:
        if not isinstance(peer, Labgate):
            return "it is labgate's own"
        if not peer.has_inspector():
            return "labgate has no inspector yet"
        return ""

    def run(self, stage: Stage) -> Outcome:
        peer = stage.running.peer
        assert isinstance(peer, Labgate)
        costs: list[list[float]] = [[], []]
        with ExitStack() as stack:
            both = []
            for configured in (peer, peer.with_inspector()):
                running = start(configured, stage.behind)
                stack.callback(running.program.stop)
                wrk.requests(running.address, CONNECTIONS, stage.scale.warm_seconds)
                both.append(running)
            for _ in range(ROUNDS):
                for running, found in zip(both, costs, strict=True):
                    before = running.program.cpu_seconds()
                    count = wrk.requests(running.address, CONNECTIONS, ROUND_SECONDS)
                    found.append((running.program.cpu_seconds() - before) / count)
        ratios = [on / off for off, on in zip(*costs, strict=True)]
        return Outcome({COST.name: median(ratios)})
