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
MEMORY = Figure("memory with 10,000 routes and 1,000 idle WebSockets", "MiB")
RESTART = Figure("requests failed while it restarts under load", "")
ANSWERED = Figure("requests answered meanwhile", "", more_is_better=True)

# A call of the API cannot cost half of CHP's while it is served by aiohttp: a handler that reads
# the JSON and answers takes 41 µs there, and all that labgate does for a route 24 µs more.
TARGETS = (
    Target(CPU_ONE, 0.45, "chp"),
    Target(GROWTH, 1.05),
    Target(ADDING, 0.5, "chp"),
    Target(MEMORY, 0.5, "chp"),
    Target(RESTART, 0.0),
)
