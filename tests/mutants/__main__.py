"""``make mutants``: how many mutants the tests find, and which they should have found.

``make mutants ARGS=rules`` tries one folder, ``ARGS="http1 --sample 400"`` some of its mutants.
Exit codes: 0 if every survivor is known, 1 if one is new, 2 for a wrong argument.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.mutants import survivors
from tests.mutants.mutant import TIMEOUTS, Mutant
from tests.mutants.scratch import QUICK_TESTS, TESTS, Scratch

ROW = "{:<9} {:>8} {:>6} {:>7} {:>9} {:>9} {:>9} {:>5} {:>5}"
HEADINGS = (
    *("folder", "mutants", "tried", "killed", "(timeout)"),
    *("survived", "accepted", "open", "new"),
)


def main(arguments: Sequence[str]) -> int:
    """Try the mutants of the folders, and print the result of each."""
    options = _parser().parse_args(arguments)
    accepted, still_open = survivors.read("accepted.toml"), survivors.read("open.toml")
    new: list[str] = []
    print(ROW.format(*HEADINGS))
    for folder in options.folders or TESTS:
        with tempfile.TemporaryDirectory(prefix="labgate-mutants-") as temporary:
            mutants = _try(folder, options.keep or Path(temporary), options)
        tried = [mutant for mutant in mutants if mutant.exit_code is not None]
        alive = [mutant.key for mutant in tried if mutant.survived]
        unknown = [key for key in alive if key not in accepted and key not in still_open]
        counts = (
            *(len(mutants), len(tried), len(tried) - len(alive)),
            *(sum(mutant.exit_code in TIMEOUTS for mutant in tried), len(alive)),
            *(sum(key in accepted for key in alive), sum(key in still_open for key in alive)),
            len(unknown),
        )
        print(ROW.format(folder, *counts), flush=True)
        known = [key for key in (*accepted, *still_open) if key.startswith(f"{folder}.")]
        new += unknown
        _print_obsolete(known, mutants)
    if new:
        print(f"\n{len(new)} new survivors. Add a test for each, or list it in tests/mutants/:\n")
        print("\n".join(map(survivors.as_toml, sorted(new))))
    return 1 if new else 0


def _try(folder: str, place: Path, options: argparse.Namespace) -> list[Mutant]:
    """Every mutant of a folder, with the result of those that were tried."""
    killed: dict[str, Mutant] = {}
    stages = [("quick", QUICK_TESTS.get(folder)), ("", TESTS[folder])]
    mutants: list[Mutant] = []
    for name, tests in stages:
        if tests is not None:
            path = place / f"{folder}{'-' * bool(name)}{name}"
            scratch = Scratch(path, folder, options.tool, tests)
            mutants = scratch.run(options.processes, options.sample, killed)
            killed = {mutant.name: mutant for mutant in mutants if mutant.killed}
    return mutants


def _print_obsolete(known: Iterable[str], mutants: list[Mutant]) -> None:
    """Name what is listed as a survivor, but is killed or gone."""
    alive = {mutant.key for mutant in mutants if mutant.survived or mutant.exit_code is None}
    for key in known:
        if key not in alive:
            print(f"A test kills this, or the line is gone: take it out of the list.\n{key}")


def _folder(name: str) -> str:
    if name not in TESTS:
        raise argparse.ArgumentTypeError(f"{name} is not one of {', '.join(TESTS)}")
    return name


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("folders", nargs="*", type=_folder, metavar="FOLDER", help=", ".join(TESTS))
    parser.add_argument("--sample", type=int, metavar="N", help="try only N mutants of a folder")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="mutants tried at a time"
    )
    parser.add_argument(
        "--keep",
        type=Path,
        metavar="FOLDER",
        help="work in this folder and leave it; the next run tries what changed and what survived",
    )
    parser.add_argument("--tool", type=Path, required=True, help="where mutmut is installed")
    return parser


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
