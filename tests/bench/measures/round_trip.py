"""What a kernel message costs on its way there and back."""

from __future__ import annotations

from tests.bench.clients import Client, websocket_round_trips
from tests.bench.crowd import ask_websockets
from tests.bench.frames import client_frame
from tests.bench.measures.measure import Figure, Measure, Outcome, Stage, percentile

CONNECTIONS = 16

P50 = Figure("WebSocket round trip, 200 B, one connection, p50", "µs", by_the_clock=True)
P99 = Figure("WebSocket round trip, 200 B, one connection, p99", "µs", by_the_clock=True)
CPU = Figure("CPU per WebSocket round trip, 16 connections", "µs")


class WebSocketRoundTrip(Measure):
    """200-byte messages, echoed: one connection, then 16 at once."""

    name = "websocket-round-trip"
    figures = (P50, P99, CPU)

    def warm(self, stage: Stage) -> None:
        self._one(stage)

    def run(self, stage: Stage) -> Outcome:
        times = self._one(stage)
        with stage.meter() as meter:
            asked = ask_websockets(stage.address, CONNECTIONS, stage.scale.seconds)
        return Outcome(
            {
                P50.name: percentile(times, 0.5),
                P99.name: percentile(times, 0.99),
                CPU.name: meter.proxy_cpu_seconds / asked.answers * 1e6,
            }
        )

    def _one(self, stage: Stage) -> list[float]:
        with Client(stage.address) as client:
            client.websocket(b"/ws/echo/%d" % len(client_frame(200)))
            return websocket_round_trips(client, stage.scale.round_trips)
