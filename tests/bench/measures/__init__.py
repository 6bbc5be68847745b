"""What is asked of every proxy, in the order of the table."""

from __future__ import annotations

from tests.bench.measures.bodies import Download, Upload
from tests.bench.measures.cpu import CpuPerRequest
from tests.bench.measures.idle import IdleWebSockets
from tests.bench.measures.inspector import InspectorOn
from tests.bench.measures.latency import Latency
from tests.bench.measures.measure import FULL, QUICK, Figure, Measure, Outcome, Scale, Stage
from tests.bench.measures.messages import WebSocketMessages
from tests.bench.measures.round_trip import WebSocketRoundTrip
from tests.bench.measures.start import StartToFirstByte
from tests.bench.measures.tls import NewTlsConnections
from tests.bench.measures.workers import TwoWorkers

MEASURES: tuple[Measure, ...] = (
    CpuPerRequest(),
    Latency(),
    WebSocketRoundTrip(),
    WebSocketMessages(),
    Download(),
    Upload(),
    IdleWebSockets(),
    NewTlsConnections(),
    StartToFirstByte(),
    TwoWorkers(),
    InspectorOn(),
)

__all__ = ["FULL", "MEASURES", "QUICK", "Figure", "Measure", "Outcome", "Scale", "Stage"]
