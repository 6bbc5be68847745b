"""Everything that was measured."""

from __future__ import annotations

from collections import defaultdict
from statistics import median

from tests.bench.measures.measure import Figure, Measure, Outcome


class Samples:
    """Values by figure and peer, one for each repetition.

    Attributes:
        figures: The rows, in the order they were measured.
        peers: The columns.
        remarks: What was skipped or failed, and why.
    """

    def __init__(self, peers: list[str]) -> None:
        self.peers = peers
        self.figures: list[Figure] = []
        self.remarks: list[str] = []
        self._values: dict[tuple[str, str], list[float]] = defaultdict(list)
        self._bound: dict[tuple[str, str], list[bool]] = defaultdict(list)

    def add(self, measure: Measure, peer: str, outcome: Outcome) -> None:
        """One repetition."""
        for figure in measure.figures:
            if figure not in self.figures:
                self.figures.append(figure)
            self._values[figure.name, peer].append(outcome.figures[figure.name])
            if figure.by_the_clock:
                self._bound[figure.name, peer].append(outcome.load_bound)

    def values(self, figure: str, peer: str) -> list[float]:
        return self._values.get((figure, peer), [])

    def median(self, figure: str, peer: str) -> float | None:
        values = self.values(figure, peer)
        return median(values) if values else None

    def ratio(self, figure: str, peer: str, other: str) -> float | None:
        """The median of the repetitions' ratios: the two of a pair ran right after each other."""
        pairs = list(zip(self.values(figure, peer), self.values(figure, other), strict=False))
        return median(one / another for one, another in pairs) if pairs else None

    def load_bound(self, figure: str, peer: str) -> bool:
        """Whether mostly the load's core was the limit."""
        flags = self._bound.get((figure, peer), [])
        return 2 * sum(flags) > len(flags)
