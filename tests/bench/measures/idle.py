"""What every open notebook tab keeps in memory."""

from __future__ import annotations

from contextlib import ExitStack

from tests.bench.clients import Client
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage

TARGET = b"/ws/echo/208"

MEMORY = Figure("memory per idle WebSocket", "KiB")


class IdleWebSockets(Measure):
    """Many WebSockets on which nothing happens; kernel memory is not counted."""

    name = "idle-websockets"
    figures = (MEMORY,)
    fresh = True
    max_repetitions = 3

    def run(self, stage: Stage) -> Outcome:
        more = stage.scale.sockets - 1
        with ExitStack() as opened:
            # The first one pays for what is loaded once.
            opened.enter_context(Client(stage.address)).websocket(TARGET)
            before = stage.program.memory_bytes()
            for _ in range(more):
                opened.enter_context(Client(stage.address)).websocket(TARGET)
            growth = stage.program.memory_bytes() - before
        return Outcome({MEMORY.name: growth / more / 2**10})
