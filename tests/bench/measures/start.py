"""How long a restart keeps people waiting."""

from __future__ import annotations

from tests.bench.measures.measure import Figure, Measure, Outcome, Stage

START = Figure("start to first byte", "s", by_the_clock=True)


class StartToFirstByte(Measure):
    """From starting the process to the first answer from the upstream, over TLS."""

    name = "start"
    figures = (START,)
    fresh = True

    def run(self, stage: Stage) -> Outcome:
        return Outcome({START.name: stage.running.first_byte_seconds})
