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
    "every type and HTTP/2, `caddy` zstd and gzip and HTTP/2, `labgate` its defaults (so "
    "HTTP/1.1), `labgate:http2` also `listen.http2`. The targets are about `labgate`. Times are "
    "the page's own (`performance.now()` in the frame in which the launcher or the first cell has "
    "a size; the click's `timeStamp`). Proxies, Jupyter and Chromium shared all cores."
)
TRIED = (
    "Earlier runs took these times by Playwright's wait for an element, which looks for it at "
    "intervals of up to 500 ms: what differed by less was the same to it, and opening a notebook "
    "took 0.26 to 0.31 s or 0.5 s more. Two things were judged by that clock: HTTP/2, and a Link "
    "field (`rel=preload`) of `/lab` with the scripts that earlier loads had asked for. By the "
    "page's clock, on a busy machine and in turns, the launcher was in the page after 3.06, 2.95 "
    "and 2.85 s without that field and after 2.86, 2.73 and 2.73 s with it (20 Mbit/s, 40 ms, "
    "HTTP/1.1), and after 4.52 s twice and 4.19 and 4.38 s (5 Mbit/s, 80 ms); over HTTP/2 after "
    "2.98 and 2.74 s, and 4.56 and 4.25 s (medians of 3), in a later run 3.00 and 3.07 s. So "
    "labgate sends it. One load of about a hundred with it had not shown the launcher after 120 s, "
    "for a reason that was not found and that did not come again. Where the field "
    "does not name the page's own script, that comes last over HTTP/1.1. 103 Early "
    "Hints would bring the same field earlier by what Jupyter takes for `/lab`, 5 ms in the one "
    "load whose log was read, and over HTTP/2 alone. Chromium's throttle cannot measure them: "
    "what a hint names is fetched by the browser's own process, without a throttle (58 KB of "
    "1.1 MB were counted). TLS sessions are resumed (200 of 200 connections of a client in "
    "Python); a pool of warm connections to Jupyter was not measured."
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
