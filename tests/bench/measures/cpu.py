"""What one small request costs a proxy that is busy."""

from __future__ import annotations

from tests.bench import wrk
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage

CONNECTIONS = 32

CPU = Figure("CPU per request, 1 KiB, 32 connections", "µs")
RATE = Figure("requests per second, 32 connections", "/s", more_is_better=True, by_the_clock=True)


class CpuPerRequest(Measure):
    """1 KiB answers over 32 kept-alive TLS connections."""

    name = "cpu-per-request"
    figures = (CPU, RATE)

    def warm(self, stage: Stage) -> None:
        wrk.requests(stage.address, CONNECTIONS, stage.scale.warm_seconds)

    def run(self, stage: Stage) -> Outcome:
        with stage.meter() as meter:
            answers = wrk.requests(stage.address, CONNECTIONS, stage.scale.seconds)
        figures = {
            CPU.name: meter.proxy_cpu_seconds / answers * 1e6,
            RATE.name: answers / meter.seconds,
        }
        return Outcome(figures, meter.load_bound)
