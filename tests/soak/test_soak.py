"""Ten minutes of everything: descriptors, tasks and memory stay where they are.

``SOAK_SECONDS=120 pytest -m slow tests/soak`` for a shorter one.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.origin import Origin
from tests.e2e.programs import Labgate, until
from tests.soak.load import CROWD, Load

SECONDS = float(os.environ.get("SOAK_SECONDS", "600"))
SAMPLE_SECONDS = min(10.0, SECONDS / 60)
RESTART_SECONDS = min(45.0, SECONDS / 5)
DOWN_SECONDS = 2.0
WARM_SECONDS = min(60.0, SECONDS / 5)
QUIET_SECONDS = 60.0

MEGABYTE = 2**20


class Watched(Labgate):
    """labgate that tells what it holds (``tests.soak.inside``)."""

    def command(self) -> list[str]:
        command = super().command()
        command[command.index("proxy")] = "tests.soak.inside"
        return command

    @property
    def samples(self) -> list[dict[str, Any]]:
        """All so far, the last line perhaps still being written."""
        lines = self.stdout.read_text().rpartition("\n")[0].splitlines()
        return [json.loads(line) for line in lines]


@pytest.mark.slow
def test_nothing_grows(tmp_path: Path) -> None:
    with Origin(tmp_path) as origin:
        labgate = Watched(
            tmp_path,
            "serve",
            "--bind",
            "127.0.0.1",
            environment={
                "PYTHONMALLOC": "malloc",  # as the service and the image set it
                "SAMPLE_SECONDS": str(SAMPLE_SECONDS),
                "LABGATE_UPSTREAM__URL": origin.address,
                "LABGATE_LIMITS__HEAD_SECONDS": "5",
                "LABGATE_LIMITS__CONTENT_GRACE_SECONDS": "5",
                "LABGATE_LIMITS__HANDSHAKE_SECONDS": "5",
            },
        )
        with labgate:
            idle = until(lambda: labgate.samples[-1:], "no sample")[0]
            load = Load(labgate.https_port, labgate.trusting)
            asyncio.run(soak(load, origin))
            busy = labgate.samples
            quiet = until(
                lambda: [one for one in labgate.samples[-1:] if resting(one, idle)],
                lambda: f"something is left over: {labgate.samples[-1]}",
                QUIET_SECONDS,
            )[0]
            report(idle, busy, quiet, load)
            assert "Traceback" not in labgate.log, labgate.log[-20_000:]
        assert labgate.running.returncode == 0
    for kind in CROWD:
        assert load.done[kind], (kind, load.done, load.failed)
    assert quiet["descriptors"] <= idle["descriptors"] + 4
    first, last = fifths(busy)
    assert median(last, "descriptors") <= 1.2 * median(first, "descriptors") + 10
    assert median(last, "tasks") <= 1.2 * median(first, "tasks") + 10
    assert median(last, "resident") <= 1.05 * median(first, "resident") + 5 * MEGABYTE


def resting(sample: dict[str, Any], idle: dict[str, Any]) -> bool:
    """Nothing is left of the load; kept connections to Jupyter expire, too."""
    return bool(sample["tasks"] <= idle["tasks"] and sample["open"] <= idle["open"])


async def soak(load: Load, origin: Origin) -> None:
    """The load, with an upstream that is killed and comes back now and then."""
    loading = asyncio.ensure_future(load.run(SECONDS))
    while True:
        await asyncio.wait({loading}, timeout=RESTART_SECONDS)
        if loading.done():
            break
        origin.stop(signal.SIGKILL)
        await asyncio.wait({loading}, timeout=DOWN_SECONDS)
        await asyncio.to_thread(origin.start)
    await loading


def fifths(samples: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The first and the last fifth, once labgate is warm."""
    warm = [one for one in samples if one["seconds"] > WARM_SECONDS]
    size = max(1, len(warm) // 5)
    return warm[:size], warm[-size:]


def median(samples: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(one[key] for one in samples))


def report(
    idle: dict[str, Any], busy: list[dict[str, Any]], quiet: dict[str, Any], load: Load
) -> None:
    """The figures, for whoever runs this by hand."""
    first, last = fifths(busy)
    print(f"\nsoak of {SECONDS:g} s, {len(busy)} samples", file=sys.stderr)
    for key, unit in (("descriptors", 1), ("tasks", 1), ("open", 1), ("resident", MEGABYTE)):
        values = [idle[key], median(first, key), median(last, key), quiet[key]]
        shown = " ".join(f"{value / unit:8.1f}" for value in values)
        print(f"  {key:12} idle, first fifth, last fifth, quiet: {shown}", file=sys.stderr)
    print(f"  done {dict(load.done)}\n  cut short {dict(load.failed)}", file=sys.stderr)
