"""What is asked of every proxy, in the order of the table."""

from __future__ import annotations

from .bodies import Download, Upload
from .cpu import CpuPerRequest
from .idle import IdleWebSockets
from .latency import Latency
from .measure import FULL, QUICK, Figure, Measure, Outcome, Scale, Stage
from .messages import WebSocketMessages
from .round_trip import WebSocketRoundTrip
from .start import StartToFirstByte
from .tls import NewTlsConnections
from .workers import TwoWorkers

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
)

__all__ = ["FULL", "MEASURES", "QUICK", "Figure", "Measure", "Outcome", "Scale", "Stage"]
