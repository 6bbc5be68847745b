"""``make bench``: the command line.

Installs nothing: peers that are not on this machine are named with the way to get them,
and left out.
"""

from __future__ import annotations

import argparse
import shlex
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import plot, results
from tests.bench.hub.command import HUB, hub
from tests.bench.machine import LOAD_CORE, PROXY_CORE, Watch, described
from tests.bench.measures import FULL, MEASURES, QUICK, Measure
from tests.bench.page.command import PAGE, page
from tests.bench.peers import PEERS, Labgate, Peer, labgates, program
from tests.bench.run import run
from tests.bench.table import SUBJECT, print_tables

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
    peers = _found([*labgates(), *PEERS, *others], options.peers)
    for line in described():
        console.print(line)
    commit = results.commit()
    watch = Watch()
    scale = QUICK if options.quick else FULL
    samples = run(measures, peers, scale, lambda name: console.print(f"measuring {name} …"))
    quiet = watch.quiet()
    print_tables(console, samples)
    console.print(str(quiet))
    picture = results.PICTURE if options.write else options.plot
    drawn = plot.draw(samples, picture)
    console.print(f"drawn: {picture}" if drawn else plot.ABSENT)
    if options.write:
        command = f'make bench ARGS="{shlex.join(arguments)}"'
        results.write(samples, peers, quiet, command, commit)
        console.print(f"written: {results.FILE}")
    return 1 if any(f"{SUBJECT} failed" in remark for remark in samples.remarks) else 0


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


def _found(peers: Sequence[Peer], wanted: str) -> list[Peer]:
    """The peers of this machine, each said with its version or how to get it."""
    names = [name for name in wanted.split(",") if name]
    unknown = set(names) - {peer.name for peer in peers}
    if unknown:
        known = ", ".join(peer.name for peer in peers)
        sys.exit(f"There is no peer {', '.join(sorted(unknown))}: choose of {known}.")
    present = []
    for peer in peers:
        # Another checkout was asked for by its own flag.
        if names and peer.name not in names and not peer.name.startswith(f"{SUBJECT}:"):
            continue
        version = peer.version()
        if version is None:
            console.print(f"{peer.name}: not found ({peer.absent})")
        else:
            console.print(f"{peer.name}: {version}")
            present.append(peer)
    load = "wrk" if program("wrk") else "an asyncio client (wrk is not found)"
    console.print(
        f"proxies on core {PROXY_CORE}; upstream and load on core {LOAD_CORE}, HTTP by {load}"
    )
    return present


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
