"""What surrounds every run of a bench: which peers there are, and what is shown of the run."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence

from rich.console import Console

from tests.bench import plot, results
from tests.bench.machine import Quiet
from tests.bench.peers import Peer
from tests.bench.samples import Samples
from tests.bench.table import SUBJECT, print_tables


def find_peers(
    console: Console, peers: Sequence[Peer], wanted: str, others: Sequence[Peer] = ()
) -> list[Peer]:
    """The peers of this machine, each said with its version or how to get it.

    Args:
        console: Where it is said.
        peers: Those of the bench.
        wanted: Names of them, between commas; empty for all.
        others: Asked for in another way.
    """
    names = [name for name in wanted.split(",") if name]
    known = [peer.name for peer in peers]
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.exit(f"There is no peer {', '.join(unknown)}: choose of {', '.join(known)}.")
    present = []
    for peer in [*(peer for peer in peers if not names or peer.name in names), *others]:
        version = peer.version()
        if version is None:
            console.print(f"{peer.name}: not found ({peer.absent})")
        else:
            console.print(f"{peer.name}: {version}")
            present.append(peer)
    return present


def show(
    console: Console,
    arguments: Sequence[str],
    options: argparse.Namespace,
    samples: Samples,
    peers: list[Peer],
    quiet: Quiet,
    commit: str,
    report: results.Report = results.PROXIES,
) -> int:
    """Print and draw a run, and write its report where that is wanted.

    Returns:
        The exit code: 1 when labgate itself failed somewhere.
    """
    print_tables(console, samples, report.targets)
    console.print(str(quiet))
    picture = report.picture if options.write else options.plot
    drawn = plot.draw(samples, picture)
    console.print(f"drawn: {picture}" if drawn else plot.ABSENT)
    if options.write:
        command = f'make bench ARGS="{shlex.join(arguments)}"'
        results.write(samples, peers, quiet, command, commit, report)
        console.print(f"written: {report.file}")
    return 1 if any(f"{SUBJECT} failed" in remark for remark in samples.remarks) else 0
