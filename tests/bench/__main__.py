"""``make bench``: the command line.

Installs nothing: peers that are not on this machine are named with the way to get them,
and left out.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import results
from tests.bench.hub.command import HUB, hub
from tests.bench.machine import LOAD_CORE, PROXY_CORE, Watch, described
from tests.bench.measures import FULL, MEASURES, QUICK, Measure
from tests.bench.page.command import PAGE, page
from tests.bench.peers import PEERS, Labgate, Peer, labgates, program
from tests.bench.report import find_peers, show
from tests.bench.run import run

console = Console(width=None if sys.stdout.isatty() else 240, highlight=False)


def main(arguments: Sequence[str]) -> int:
    """Measure and show; 1 when labgate itself failed somewhere."""
    options = _options(arguments)
    if PAGE in options.measures:
        return page(console, arguments, options)
    if HUB in options.measures:
        return hub(console, arguments, options)
    measures = _chosen("measure", options.measures, {m.name: m for m in MEASURES})
    others = [_other_tree(path) for path in options.also]
    peers = find_peers(console, [*labgates(), *PEERS], options.peers, others)
    load = "wrk" if program("wrk") else "an asyncio client (wrk is not found)"
    console.print(
        f"proxies on core {PROXY_CORE}; upstream and load on core {LOAD_CORE}, HTTP by {load}"
    )
    for line in described():
        console.print(line)
    commit = results.commit()
    watch = Watch()
    scale = QUICK if options.quick else FULL
    samples = run(measures, peers, scale, lambda name: console.print(f"measuring {name} …"))
    return show(console, arguments, options, samples, peers, watch.quiet(), commit)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog='make bench ARGS="…"', description="labgate beside its alternatives."
    )
    names = ", ".join([*(measure.name for measure in MEASURES), PAGE, HUB])
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=f"of: {names}")
    known = ", ".join(peer.name for peer in (*labgates(), *PEERS))
    parser.add_argument("--peers", default="", metavar="A,B", help=f"of: {known}")
    parser.add_argument(
        "--also",
        action="append",
        default=[],
        type=Path,
        metavar="FOLDER",
        help="another checkout, on the Python of its .venv where it has one; repeatable",
    )
    parser.add_argument("--quick", action="store_true", help="about three minutes, rougher")
    parser.add_argument("--write", action="store_true", help="replace tests/bench/RESULTS.md")
    picture = Path(tempfile.gettempdir()) / "labgate-bench.png"
    parser.add_argument("--plot", type=Path, default=picture, metavar="FILE.png")
    return parser.parse_args(arguments)


def _chosen(kind: str, names: Sequence[str], known: dict[str, Measure]) -> list[Measure]:
    unknown = [name for name in names if name not in known]
    if unknown:
        sys.exit(f"There is no {kind} {', '.join(unknown)}: choose of {', '.join(known)}.")
    return [known[name] for name in names] if names else list(known.values())


def _other_tree(path: Path) -> Peer:
    return Labgate(path.resolve(), f"labgate:{path.resolve().name}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
