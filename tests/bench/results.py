"""tests/bench/RESULTS.md: what a run found, where, and how quiet it was."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from tests.bench.machine import Quiet, described
from tests.bench.peers import REPOSITORY, Peer
from tests.bench.samples import Samples
from tests.bench.table import LEGEND, TARGET_HEADINGS, figure_rows, markdown, target_rows

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


def write(samples: Samples, peers: list[Peer], quiet: Quiet, command: str, commit: str) -> None:
    """Replace the file with this run."""
    headings = ["measure", *samples.peers]
    versions = ", ".join(f"{peer.name} {peer.version()}" for peer in peers)
    parts = [
        "# labgate beside its alternatives",
        f"Written by `{placeless(command)}`, {datetime.now(UTC):%Y-%m-%d}{commit}, in one run.",
        "\n".join(f"- {line}" for line in [*described(), placeless(versions), str(quiet)]),
        SETTING,
        "## Targets",
        markdown(TARGET_HEADINGS, target_rows(samples)),
        "Ratios are medians of the repetitions' ratios, taken pairwise.",
        "## Figures",
        markdown(headings, figure_rows(samples)),
        LEGEND,
    ]
    if PICTURE.exists():
        parts.append(f"![The same figures as bars]({PICTURE.name})")
    if samples.remarks:
        parts += ["## Left out", "\n".join(f"- {placeless(remark)}" for remark in samples.remarks)]
    FILE.write_text("\n\n".join(parts) + "\n")


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
