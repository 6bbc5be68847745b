"""The same figures as a picture, where matplotlib is installed."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from tests.bench.samples import Samples

COLUMNS = 4
ABSENT = "no plot: matplotlib is not installed here (dependency group `bench`)"
SUBJECT_COLOUR, PEER_COLOUR = "#f37726", "#9aa5b1"


def draw(samples: Samples, file: Path) -> bool:
    """One small bar chart for each figure, whiskers from lowest to highest.

    Returns False without matplotlib, which nothing else needs.
    """
    try:
        # By name: the type checker has to do without it as well.
        matplotlib: Any = importlib.import_module("matplotlib")
    except ImportError:
        return False
    matplotlib.use("Agg")
    plots: Any = importlib.import_module("matplotlib.pyplot")
    count = len(samples.figures)
    rows = -(-count // COLUMNS)
    picture, axes = plots.subplots(
        rows, COLUMNS, figsize=(4.6 * COLUMNS, 2.3 * rows), squeeze=False
    )
    for place, axis in enumerate(axes.flat):
        if place >= count:
            axis.axis("off")
            continue
        figure = samples.figures[place]
        peers = [peer for peer in samples.peers if samples.values(figure.name, peer)]
        values = [samples.values(figure.name, peer) for peer in peers]
        middles = [samples.median(figure.name, peer) or 0.0 for peer in peers]
        below = [middle - min(v) for middle, v in zip(middles, values, strict=True)]
        above = [max(v) - middle for middle, v in zip(middles, values, strict=True)]
        colours = [SUBJECT_COLOUR if peer.startswith("labgate") else PEER_COLOUR for peer in peers]
        axis.barh(peers, middles, xerr=[below, above], color=colours, capsize=2)
        axis.invert_yaxis()
        better = "more is better" if figure.more_is_better else "less is better"
        unit = f"{figure.unit}, " if figure.unit else ""
        axis.set_title(f"{figure.name}\n({unit}{better})", fontsize=8)
        axis.tick_params(labelsize=7)
    picture.tight_layout()
    picture.savefig(file, dpi=110)
    plots.close(picture)
    return True
