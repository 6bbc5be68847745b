"""``make bench ARGS=page``: the command line, and the report."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from tests.bench import results
from tests.bench.machine import Watch, described
from tests.bench.page.figures import TARGETS
from tests.bench.page.peers import page_peers
from tests.bench.page.run import run
from tests.bench.report import find_peers, show

PAGE = "page"
SETTING = (
    "JupyterLab behind, one Chromium in front, which throttles its line itself: it adds the "
    "latency to each request, and nothing to a handshake. A cold load is that of somebody who is "
    "logged in and whose browser has nothing cached, until the launcher shows; the proxies had "
    "served one such load before, so that labgate's cache was filled. `nginx-tuned` has gzip for "
    "every type and HTTP/2, `caddy` zstd and gzip and HTTP/2, `labgate` its defaults, "
    "`labgate:http2` also `listen.http2`. Proxies, Jupyter and Chromium shared all cores."
)
TRIED = (
    "Tried beside this run, in HTTP/2, and not kept: a Link field (`rel=preload`) of `/lab` with "
    "the scripts that earlier loads had asked for. On a busy machine, in turns, cold loads with "
    "it took 3.15, 3.03 and 3.11 s with 20 Mbit/s and 40 ms, and without it 3.15, 3.18, 2.98 and "
    "3.31 s; 4.33, 4.58, 4.62 and 4.59 s with 5 Mbit/s and 80 ms, and without it 4.59, 4.57, 4.67 "
    "and 4.53 s. In a shorter run before, one load with it took 2.56 s where those without took "
    "3.11 and 3.13 s, and nothing later repeated that; 4.68 and 4.72 s stood beside 4.61 and 4.77 "
    "s. So few loads show no gain, and exclude no small one. That Chromium used what the field "
    "named was not looked at. 103 Early Hints were not tried: they would bring the same field "
    "earlier by what Jupyter takes for `/lab`, 5 ms in the one load whose log was read. TLS "
    "sessions are resumed (200 of 200 connections of a client in Python); a pool of warm "
    "connections to Jupyter was not measured."
)
REPORT = results.Report(
    results.FILE.with_name("PAGE.md"),
    "A page through labgate and others",
    f"{SETTING}\n\n{TRIED}",
    TARGETS,
)
REPETITIONS, QUICK_REPETITIONS = 5, 1


def page(console: Console, arguments: Sequence[str], options: argparse.Namespace) -> int:
    """Measure and show."""
    peers = find_peers(console, page_peers(), options.peers)
    for line in described():
        console.print(line)
    commit = results.commit()
    watch = Watch()
    repetitions = QUICK_REPETITIONS if options.quick else REPETITIONS
    pictures = Path(tempfile.gettempdir())
    samples = run(peers, repetitions, lambda said: console.print(f"{said} …"), pictures)
    console.print(f"what Chromium showed: {pictures}/labgate-page-*.png")
    return show(console, arguments, options, samples, peers, watch.quiet(), commit, REPORT)
