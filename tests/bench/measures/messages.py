"""How fast large outputs of a kernel pass."""

from __future__ import annotations

from tests.bench.clients import Client
from tests.bench.frames import client_frame, server_frame
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage
from tests.bench.process import Meter

SIZES = {"64 KiB": 2**16, "1 MiB": 2**20}

THROUGHPUT = {
    label: Figure(f"WebSocket messages of {label}", "MiB/s", more_is_better=True, by_the_clock=True)
    for label in SIZES
}
PER_CPU = {
    label: Figure(f"WebSocket messages of {label}, per CPU second", "MiB", more_is_better=True)
    for label in SIZES
}


class WebSocketMessages(Measure):
    """Messages of one size down, then as many up, over one connection."""

    name = "websocket-messages"
    max_repetitions = 3
    figures = (*THROUGHPUT.values(), *PER_CPU.values())

    def run(self, stage: Stage) -> Outcome:
        figures = {}
        bound = False
        for label, size in SIZES.items():
            with stage.meter() as meter:
                moved = self._down_and_up(stage, size)
            figures[THROUGHPUT[label].name] = moved / meter.seconds
            figures[PER_CPU[label].name] = moved / cpu_of(meter)
            bound = bound or meter.load_bound
        return Outcome(figures, bound)

    def _down_and_up(self, stage: Stage, size: int) -> float:
        """Returns MiB moved."""
        count = max(1, stage.scale.message_bytes // size)
        with Client(stage.address) as client:
            arrived = client.websocket(b"/ws/down/%d/%d" % (size, count))
            client.skip(count * len(server_frame(size)) - arrived)
        message = client_frame(size)
        with Client(stage.address) as client:
            client.websocket(b"/ws/up/%d" % (count * len(message)))
            for _ in range(count):
                client.socket.sendall(message)
            client.skip(len(server_frame(200)))
        return 2 * count * size / 2**20


def cpu_of(meter: Meter) -> float:
    """The proxy's CPU seconds, at least the clock tick that they are counted in."""
    return max(meter.proxy_cpu_seconds, 0.01)
