"""How long one client waits for a small answer."""

from __future__ import annotations

from tests.bench.clients import Client, http_round_trips
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage, percentile

P50 = Figure("request, one connection, p50", "µs", by_the_clock=True)
P99 = Figure("request, one connection, p99", "µs", by_the_clock=True)


class Latency(Measure):
    """1 KiB answers over one kept-alive TLS connection."""

    name = "latency"
    figures = (P50, P99)

    def warm(self, stage: Stage) -> None:
        with Client(stage.address) as client:
            http_round_trips(client, stage.scale.round_trips)

    def run(self, stage: Stage) -> Outcome:
        with Client(stage.address) as client:
            times = http_round_trips(client, stage.scale.round_trips)
        return Outcome({P50.name: percentile(times, 0.5), P99.name: percentile(times, 0.99)})
