"""What is measured of a Hub's proxy, and what issue 16 asks for."""

from __future__ import annotations

from tests.bench.measures.measure import Figure
from tests.bench.targets import Target

ROUTES = 10_000
SOCKETS = 1_000

CPU_ONE = Figure("CPU per request, one route", "µs")
CPU_MANY = Figure("CPU per request, 10,000 routes", "µs")
GROWTH = Figure("CPU per request, 10,000 routes over one", "x")
ADDING = Figure("10,000 routes added, each by a call of the API", "s")
ADDING_CPU = Figure("CPU for these calls", "s")
CLOSING = Figure("10,000 more, each over a connection of its own", "s")
CLOSING_CPU = Figure("CPU for these", "s")
MEMORY = Figure("memory with 10,000 routes and 1,000 idle WebSockets", "MiB")
RESTART = Figure("requests failed while it restarts under load", "")
ANSWERED = Figure("requests answered meanwhile", "", more_is_better=True)

# A call of the API cannot cost half of CHP's, which takes 58 µs, while it is an application of
# aiohttp's: one whose handler only reads the JSON and says 201 in a write takes 35 µs of CPU, and
# all that labgate does for a route 17 µs, 5 of them for the line on the disk.
TARGETS = (
    Target(CPU_ONE, 0.45, "chp"),
    Target(GROWTH, 1.05),
    Target(ADDING, 0.5, "chp"),
    Target(MEMORY, 0.5, "chp"),
    Target(RESTART, 0.0),
)
