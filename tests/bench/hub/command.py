"""``make bench ARGS=hub``: the command line, and the report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console

from tests.bench import results
from tests.bench.hub.figures import TARGETS
from tests.bench.hub.measures import ManyRoutes, Restart
from tests.bench.hub.peers import HubChp, HubLabgate
from tests.bench.machine import Watch, described
from tests.bench.measures import FULL, QUICK
from tests.bench.report import find_peers, show
from tests.bench.run import run

HUB = "hub"
SETTING = (
    "Each proxy as a Hub starts it, with TLS 1.3 towards clients, and labgate with `--storage`. It "
    "ran on one core alone, upstream, load and the caller of the API on another. Requests came "
    "over 32 kept connections for 1 KiB at a route in the middle of the table; calls of the API "
    "were ten at once, as a Hub makes them: over kept connections, which it has with pycurl, and "
    "with a connection for each. Memory is the proportional set size. For the "
    "restart labgate was replaced by `labgate upgrade`, and configurable-http-proxy was stopped "
    "and started again; two clients asked over kept connections and one over new ones."
)
REPORT = results.Report(
    results.FILE.with_name("HUB.md"), "labgate and configurable-http-proxy", SETTING, TARGETS
)
SECONDS, REPETITIONS = 1.0, 3


def hub(console: Console, arguments: Sequence[str], options: argparse.Namespace) -> int:
    """Measure and show; 1 when labgate itself failed."""
    peers = find_peers(console, [HubLabgate(), HubChp()], options.peers)
    for line in described():
        console.print(line)
    commit = results.commit()
    watch = Watch()
    scale = QUICK if options.quick else FULL
    scale = replace(scale, seconds=SECONDS, repetitions=min(REPETITIONS, scale.repetitions))
    samples = run(
        [ManyRoutes(), Restart()], peers, scale, lambda name: console.print(f"measuring {name} …")
    )
    return show(console, arguments, options, samples, peers, watch.quiet(), commit, REPORT)
