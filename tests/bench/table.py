"""The figures as people read them: in the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.bench.measures import Figure
from tests.bench.samples import Samples
from tests.bench.targets import TARGETS, Target

SUBJECT = "labgate"
BOUND_MARK = " ᴸ"
LEGEND = (
    "Median (lowest to highest). ᴸ: upstream and load needed more CPU than the proxy, so they "
    "were the limit and the clock says little about the proxy; the row per CPU second does."
)


def figure_rows(samples: Samples) -> list[list[str]]:
    """A row for each figure: its name with the unit, then a cell for each peer."""
    return [
        [_titled(figure), *(_cell(samples, figure, peer) for peer in samples.peers)]
        for figure in samples.figures
    ]


def target_rows(samples: Samples, targets: Sequence[Target] = TARGETS) -> list[list[str]]:
    """A row for each target that was measured: figure, bound, reached, verdict."""
    rows = []
    for target in targets:
        reached = target.reached(samples, SUBJECT)
        if reached is None:
            continue
        unit = "x" if target.peer else target.figure.unit
        verdict = "met" if target.met(reached) else "missed"
        sides = [SUBJECT, target.peer] if target.peer else [SUBJECT]
        if any(samples.load_bound(target.figure.name, side) for side in sides):
            verdict += BOUND_MARK
        rows.append([target.figure.name, str(target), f"{_digits(reached)} {unit}", verdict])
    return rows


TARGET_HEADINGS = ["measure", "target", "reached", "verdict"]


def print_tables(console: Console, samples: Samples, targets: Sequence[Target] = TARGETS) -> None:
    """Both tables, the remarks and the legend."""
    figures = Table(show_lines=False)
    figures.add_column("measure", min_width=24)
    for peer in samples.peers:
        figures.add_column(peer, justify="right", no_wrap=True)
    for row in figure_rows(samples):
        figures.add_row(*row)
    console.print(figures)
    console.print(LEGEND, style="dim", highlight=False)
    rows = target_rows(samples, targets)
    if rows:
        verdicts = Table()
        for heading in TARGET_HEADINGS:
            verdicts.add_column(heading)
        for row in rows:
            verdicts.add_row(*row, style="" if row[-1].startswith("met") else "bold red")
        console.print(verdicts)
    for remark in samples.remarks:
        console.print(remark, style="yellow", markup=False, highlight=False)


def markdown(headings: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown, numbers to the right."""
    rule = ["---", *("---:" for _ in headings[1:])]
    return "\n".join("| " + " | ".join(row) + " |" for row in [headings, rule, *rows])


def _titled(figure: Figure) -> str:
    return f"{figure.name}, {figure.unit}" if figure.unit else figure.name


def _cell(samples: Samples, figure: Figure, peer: str) -> str:
    values = samples.values(figure.name, peer)
    middle = samples.median(figure.name, peer)
    if middle is None:
        return "-"
    mark = BOUND_MARK if samples.load_bound(figure.name, peer) else ""
    return f"{_digits(middle)} ({_digits(min(values))} to {_digits(max(values))}){mark}"


def _digits(value: float) -> str:
    """Three digits that count."""
    if abs(value) >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
