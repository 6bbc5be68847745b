"""tests/bench/RESULTS.md: what a run found, where, and how quiet it was."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from tests.bench.machine import Quiet, described
from tests.bench.peers import REPOSITORY, Peer
from tests.bench.samples import Samples
from tests.bench.table import LEGEND, TARGET_HEADINGS, figure_rows, markdown, target_rows
from tests.bench.targets import TARGETS, Target

FILE = Path(__file__).parent / "RESULTS.md"
PICTURE = FILE.with_suffix(".png")

SETTING = (
    "Every proxy ran on one core alone, upstream and load on another, everything over loopback and "
    "TLS 1.3 with one ECDSA P-256 certificate. `nginx` is the usual recipe (no upstream "
    'keepalive, `Connection "upgrade"`), `nginx-tuned` keeps upstream connections and buffers '
    "no bodies on disk. Where two columns are labgate's, the first ran on the distribution's "
    "Python, because the peers are the distribution's builds, too, and the second on that of "
    "`.venv`."
)

BY_HAND = "## Measured by hand"
"""From this heading on, a report is somebody's own text."""


class Report(NamedTuple):
    """A file that a run is written to.

    Attributes:
        file: Where; the picture beside it has the same name.
        title: Its first line.
        setting: How it was measured.
        targets: Which were set.
    """

    file: Path
    title: str
    setting: str
    targets: Sequence[Target]

    @property
    def picture(self) -> Path:
        """The figures as bars."""
        return self.file.with_suffix(".png")


PROXIES = Report(FILE, "labgate beside its alternatives", SETTING, TARGETS)


def write(
    samples: Samples,
    peers: list[Peer],
    quiet: Quiet,
    command: str,
    commit: str,
    report: Report = PROXIES,
) -> None:
    """Replace the report with this run; what was written by hand stays."""
    headings = ["measure", *samples.peers]
    versions = ", ".join(f"{peer.name} {peer.version()}" for peer in peers)
    parts = [
        f"# {report.title}",
        f"Written by `{placeless(command)}`, {datetime.now(UTC):%Y-%m-%d}{commit}, in one run.",
        "\n".join(f"- {line}" for line in [*described(), placeless(versions), str(quiet)]),
        report.setting,
        "## Targets",
        markdown(TARGET_HEADINGS, target_rows(samples, report.targets)),
        "Ratios are medians of the repetitions' ratios, taken pairwise.",
        "## Figures",
        markdown(headings, figure_rows(samples)),
        LEGEND,
    ]
    if report.picture.exists():
        parts.append(f"![The same figures as bars]({report.picture.name})")
    if samples.remarks:
        parts += ["## Left out", "\n".join(f"- {placeless(remark)}" for remark in samples.remarks)]
    parts += by_hand(report.file)
    report.file.write_text("\n\n".join(parts) + "\n", "utf-8")


def by_hand(file: Path) -> list[str]:
    """The part of a report that no run writes, if there is one."""
    if not file.exists():
        return []
    _, heading, text = file.read_text("utf-8").partition(f"\n{BY_HAND}\n")
    return [f"{BY_HAND}\n{text.rstrip()}"] if heading else []


def placeless(text: str) -> str:
    """``text`` with the last part alone of every absolute path.

    The file is for everybody; a folder of the machine where it was written is nobody's.
    """
    return re.sub(r"(?<![\w:/.])/(?:[\w.@+-]+/)+(?=[\w.@+-])", "…/", text)


def commit() -> str:
    """What exactly is measured, where git can tell: to be asked before anything is written."""
    command = ["git", "-C", str(REPOSITORY), "describe", "--always", "--dirty"]
    try:
        shown = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return f", labgate at {shown.stdout.strip()}" if shown.returncode == 0 else ""
