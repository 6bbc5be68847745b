"""What a measure is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace

from tests.bench.clients import Address
from tests.bench.peers import Peer
from tests.bench.process import Meter, Program
from tests.bench.running import Behind, Running


@dataclass(frozen=True)
class Scale:
    """How much is done; every measure is bounded by these.

    Attributes:
        repetitions: Of every measure, with every peer.
        seconds: Of load from many connections.
        warm_seconds: Of the same before the first repetition.
        round_trips: Of one connection.
        body_bytes: One download or upload.
        message_bytes: All WebSocket messages of one size in one direction.
        sockets: Idle WebSockets.
        tls_connections: New ones, full and resumed each.
    """

    repetitions: int
    seconds: float
    warm_seconds: float
    round_trips: int
    body_bytes: int
    message_bytes: int
    sockets: int
    tls_connections: int


FULL = Scale(
    repetitions=5,
    seconds=3.0,
    warm_seconds=1.0,
    round_trips=3000,
    body_bytes=2**30,
    message_bytes=2**28,
    sockets=2000,
    tls_connections=800,
)

QUICK = replace(
    FULL,
    repetitions=3,
    seconds=1.0,
    round_trips=1000,
    body_bytes=2**28,
    message_bytes=2**26,
    sockets=500,
    tls_connections=200,
)


@dataclass(frozen=True)
class Figure:
    """One row of the table.

    Attributes:
        name: As it is shown.
        unit: As it is shown; ratios have none.
        more_is_better: Throughputs are; times and sizes are not.
        by_the_clock: Whether a busy load generator would spoil it; CPU time is not spoilt.
    """

    name: str
    unit: str
    more_is_better: bool = False
    by_the_clock: bool = False


@dataclass(frozen=True)
class Outcome:
    """One repetition with one peer.

    Attributes:
        figures: Values by the names of ``Measure.figures``.
        load_bound: Whether the load's core was the limit.
    """

    figures: Mapping[str, float]
    load_bound: bool = False


@dataclass(frozen=True)
class Stage:
    """A running proxy with what is behind it."""

    running: Running
    behind: Behind
    scale: Scale

    @property
    def address(self) -> Address:
        return self.running.address

    @property
    def program(self) -> Program:
        return self.running.program

    def meter(self) -> Meter:
        return Meter(self.program, self.behind.upstream)


class Measure(ABC):
    """One thing that is asked of every proxy.

    Attributes:
        name: As on the command line.
        figures: The rows it fills.
        fresh: Whether every repetition wants a newly started proxy.
        max_repetitions: Fewer than the scale's where one takes long.
    """

    name: str
    figures: tuple[Figure, ...]
    fresh = False
    max_repetitions = 100

    def unfit(self, peer: Peer) -> str:
        """Why this peer cannot be asked; empty when it can."""
        del peer
        return ""

    def warm(self, stage: Stage) -> None:
        """Before the first repetition: whatever a program does only once."""
        del stage

    @abstractmethod
    def run(self, stage: Stage) -> Outcome:
        """Ask once."""


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` (0 to 1) of the values do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
