"""What is measured of a page, and issue 15's targets."""

from __future__ import annotations

from dataclasses import dataclass

from tests.bench.measures.measure import Figure
from tests.bench.targets import Target


@dataclass(frozen=True)
class Line:
    """A line as Chromium imitates it.

    Attributes:
        megabits: In a second, both ways.
        latency_ms: Added to each request.
    """

    megabits: int
    latency_ms: int

    @property
    def said(self) -> str:
        return f"{self.megabits} Mbit/s, {self.latency_ms} ms"


FAST, SLOW = Line(20, 40), Line(5, 80)
LINES = (FAST, SLOW)

COLD = {line: Figure(f"cold load, {line.said}", "s") for line in LINES}
NOTEBOOK = {line: Figure(f"a notebook after the launcher, {line.said}", "s") for line in LINES}
SECOND = {line: Figure(f"second load, {line.said}", "s") for line in LINES}
OCTETS = Figure("cold load, octets received", "MB")
REQUESTS = Figure("cold load, requests", "")
CPU = Figure("cold load, CPU of proxy and Jupyter", "ms")
PROXY_CPU = Figure("cold load, CPU of the proxy", "ms")

PEERS = ("nginx-tuned", "caddy")

TARGETS: tuple[Target, ...] = (
    *(
        target
        for peer in PEERS
        for target in (
            Target(COLD[FAST], 0.97, peer),
            Target(COLD[SLOW], 0.93, peer),
            *(Target(figure[line], 1.0, peer) for figure in (SECOND, NOTEBOOK) for line in LINES),
        )
    ),
    Target(OCTETS, 1.2),
    Target(CPU, 0.75, "nginx-tuned"),
)
